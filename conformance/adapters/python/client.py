"""A client to begin with, over `websockets`: one connection that comes back by itself. Replace it by yours."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

NORMAL = 1000
REFUSALS = {1008, 4401}
GOODBYE = 1.0  # how long a gateway may take to answer a close
MAX_DOUBLINGS = 30

Token = str | Callable[[], Awaitable[str]] | None


@dataclass(frozen=True)
class Options:
    """Times are in seconds."""

    reconnect_delay: float = 1.0
    max_reconnect_delay: float = 30.0
    max_reconnect_attempts: int = 10
    jitter: float = 0.2
    auto_reconnect: bool = True
    ping_interval: float = 30.0
    pong_timeout: float = 10.0
    connect_timeout: float = 10.0
    stable_after: float = 5.0
    queue_capacity: int = 1000
    debug: bool = False
    seed: int | None = None  # of the jitter


class Message(NamedTuple):
    text: str
    lasts: bool  # beyond the connection that it waits for


class Client:
    """Its methods are called in asyncio's loop; none of them waits. Listeners are called in it as well."""

    def __init__(self, url: str | None = None, token: Token = None, options: Options = Options()) -> None:
        self._url = url or os.environ.get("NX_WS_URL", "ws://localhost:3000/ws")
        self._token = token
        self._options = options
        self._random = random.Random(options.seed)
        self._status = "disconnected"
        self._attempts = 0
        self._refused = False
        self._online = False  # whether requests can go out
        self._queue: deque[Message] = deque()
        self._queued = asyncio.Event()
        self._subscriptions: dict[str, dict[str, str]] = {}
        self._listeners: dict[str, list[Callable[..., object]]] = {}
        self._runs: set[asyncio.Task[None]] = set()  # the newest, and those that are being cancelled
        self._leaving: asyncio.Task[None] | None = None
        self._asked: float | None = None  # when the oldest ping without a pong was sent

    def get_status(self) -> str:
        return self._status

    def get_config(self) -> dict[str, Any]:
        return asdict(self._options) | {"url": self._url}

    def connect(self) -> None:
        if self._status != "disconnected":
            return
        self._attempts = 0
        self._refused = False
        run = asyncio.create_task(self._run(set(self._runs)))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        self._become("connecting")

    def disconnect(self) -> None:
        self._online = False
        for run in self._runs:
            run.cancel()
        self._become("disconnected")

    def set_token(self, token: Token) -> None:
        """Replaces the token, and the connection that was opened with the old one."""
        self._token = token
        wanted = token is not None and (self._status != "disconnected" or self._refused)
        self._refused = False
        self.disconnect()
        if wanted:
            self.connect()

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends as soon as there is a connection. Raises `asyncio.QueueFull` where too much waits already."""
        if len(self._queue) >= self._options.queue_capacity:
            raise asyncio.QueueFull("the queue is full")
        self._put(message, lasts=True)

    def subscribe(self, what: str | dict[str, str]) -> None:
        """Subscribes to an event type, or to a room: `subscribe("catalog:changed")`, `subscribe({"room": "user:42"})`."""
        target = {"eventType": what} if isinstance(what, str) else what
        key = json.dumps(target)
        if key in self._subscriptions:
            return
        self._subscriptions[key] = target
        if self._online:
            self._put({"type": "subscribe", "payload": target})

    def unsubscribe(self, what: str | dict[str, str]) -> None:
        target = {"eventType": what} if isinstance(what, str) else what
        if self._subscriptions.pop(json.dumps(target), None) is not None and self._online:
            self._put({"type": "unsubscribe", "payload": target})

    def on(self, name: str, listener: Callable[..., object]) -> None:
        self._listeners.setdefault(name, []).append(listener)

    def off(self, name: str, listener: Callable[..., object]) -> None:
        with suppress(ValueError):
            self._listeners.get(name, []).remove(listener)

    async def _run(self, before: set[asyncio.Task[None]]) -> None:
        """Dials, and dials again, until it is cancelled or has a reason to stop."""
        if before:
            await asyncio.wait(before)
        while True:
            try:
                socket = await self._dial()
            except Exception as error:
                self._log(f"the dial failed: {type(error).__name__}")
                if isinstance(error, InvalidStatus) and error.response.status_code == 401:
                    return await self._refuse()
                await self._fail({"code": "dial", "message": str(error)})
            else:
                code = await self._live(socket)
                self._log(f"closed with {code}")
                if code in REFUSALS:
                    return await self._refuse()
                if code == NORMAL:
                    return self._become("disconnected")
            if not await self._pause():
                return
            self._become("connecting")

    async def _dial(self) -> ClientConnection:
        if self._leaving is not None:
            await asyncio.wait({self._leaving})  # never two at once
        self._log(f"dialling {self._url}")
        url = self._url
        token = self._token
        if callable(token):
            token = await asyncio.wait_for(token(), self._options.connect_timeout)
        if token is not None:
            url += f"{'&' if '?' in url else '?'}token={quote(token, safe='')}"
        return await connect(
            url,
            compression=None,
            open_timeout=self._options.connect_timeout,
            ping_interval=None,  # it has pings of its own
            close_timeout=GOODBYE,
            write_limit=0,  # what was sent is with the kernel, and what was not still waits in the queue
        )

    async def _live(self, socket: ClientConnection) -> int | None:
        """A connection from its opening to its end. Returns the code with which the gateway closed, if it did."""
        stable = asyncio.get_running_loop().call_later(self._options.stable_after, self._count_anew)
        self._asked = None
        self._online = True
        for target in self._subscriptions.values():
            self._put({"type": "subscribe", "payload": target})
        self._become("connected")
        opened = asyncio.Event()
        listening = asyncio.create_task(self._listen(socket))
        beating = asyncio.create_task(self._beat(opened))
        talking = asyncio.create_task(self._talk(socket, opened))
        try:
            await asyncio.wait({listening, beating}, return_when=asyncio.FIRST_COMPLETED)
            return listening.result() if listening.done() else None
        finally:
            self._online = False
            for part in (stable, listening, beating, talking):
                part.cancel()
            self._queue = deque(message for message in self._queue if message.lasts)
            self._leaving = asyncio.create_task(_leave(socket))

    async def _listen(self, socket: ClientConnection) -> int | None:
        try:
            while True:
                self._receive(await socket.recv())
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None

    async def _talk(self, socket: ClientConnection, opened: asyncio.Event) -> None:
        with suppress(ConnectionClosed):  # its listener knows
            while self._online:
                while self._queue and self._online:
                    await socket.send(self._queue[0].text)
                    self._queue.popleft()
                if not opened.is_set():
                    opened.set()
                    self._emit("connected", {})
                self._queued.clear()
                await self._queued.wait()

    async def _beat(self, opened: asyncio.Event) -> None:
        """Asks whether the gateway is there. Returns once it no longer answers."""
        loop, options = asyncio.get_running_loop(), self._options
        await opened.wait()
        due = loop.time() + options.ping_interval
        while True:
            limit = due if self._asked is None else self._asked + options.pong_timeout
            await asyncio.sleep(min(due, limit) - loop.time())
            now = loop.time()
            if self._asked is not None and now >= self._asked + options.pong_timeout:
                return self._log("no pong")
            if now >= due:
                self._put({"type": "ping"})
                self._asked = now if self._asked is None else self._asked
                missed = (now - due) // options.ping_interval  # by a machine that slept; they are not caught up on
                due += (1 + missed) * options.ping_interval

    def _receive(self, data: str | bytes) -> None:
        if not self._online:
            return
        try:
            message = json.loads(data) if isinstance(data, str) else None
        except ValueError:
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            print("ignored what is no message", file=sys.stderr)
        elif message["type"] == "pong":
            self._asked = None
        else:
            self._emit(message["type"], message.get("payload"))

    async def _pause(self) -> bool:
        """Waits before the next dial; false where there is to be none."""
        options = self._options
        if not options.auto_reconnect or self._attempts >= options.max_reconnect_attempts:
            self._become("disconnected")
            if options.auto_reconnect:
                self._emit("max_reconnect_attempts", {"attempts": self._attempts})
            return False
        self._become("reconnecting")
        delay = options.reconnect_delay * 2 ** min(self._attempts, MAX_DOUBLINGS)
        self._attempts += 1
        spread = 1 + options.jitter * self._random.uniform(-1, 1)
        await asyncio.sleep(min(delay, options.max_reconnect_delay) * spread)
        return True

    async def _refuse(self) -> None:
        self._refused = True
        await self._fail({"code": "unauthorized"})
        self._become("disconnected")

    async def _fail(self, error: dict[str, str]) -> None:
        self._become("error")
        self._emit("error", error)
        await asyncio.sleep(0)  # a listener may have disconnected: then this is the end

    def _count_anew(self) -> None:
        self._attempts = 0

    def _put(self, message: Mapping[str, Any], *, lasts: bool = False) -> None:
        timestamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._queue.append(Message(json.dumps({**message, "timestamp": timestamp}), lasts))
        self._queued.set()

    def _become(self, status: str) -> None:
        old, self._status = self._status, status
        if status != old:
            self._emit("status", status, old)

    def _emit(self, name: str, *payload: Any) -> None:
        for listener in list(self._listeners.get(name, [])):
            try:
                listener(*payload)
            except Exception as error:
                print(f"a listener of {name} failed: {error}", file=sys.stderr)

    def _log(self, text: str) -> None:
        if self._options.debug:
            print(text, file=sys.stderr)


async def _leave(socket: ClientConnection) -> None:
    try:
        async with asyncio.timeout(GOODBYE):
            await socket.close(NORMAL)
    except TimeoutError:
        socket.transport.abort()
        await socket.wait_closed()
