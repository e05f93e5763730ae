"""A client that differs from the one in `client.py` in whatever `gatecheck_adapter.py` says can differ."""

import asyncio
import threading
from enum import Enum
from typing import NamedTuple

from gatecheck_adapter import serve
from client import Client, Options


class State(Enum):
    IDLE = "disconnected"
    DIALLING = "connecting"
    UP = "connected"
    FAILED = "error"
    WAITING = "reconnecting"


class Change(NamedTuple):
    previous: State
    current: State


class Feed:
    """Its methods take their time, its statuses are no strings, and its listeners are awaited in a thread of their own."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    async def connect(self) -> None:
        print("connecting, says somebody on standard output")
        up = asyncio.Event()
        self.client.on("connected", lambda _: up.set())
        self.client.connect()
        await up.wait()

    async def disconnect(self) -> None:
        self.client.disconnect()

    async def publish(self, message: dict) -> bool:
        try:
            self.client.send(message)
        except asyncio.QueueFull:
            return False
        return True

    async def subscribe(self, event_type: str) -> None:
        await asyncio.sleep(0)
        self.client.subscribe(event_type)

    async def unsubscribe(self, event_type: str) -> None:
        await asyncio.sleep(0)
        self.client.unsubscribe(event_type)

    async def get_status(self) -> State:
        return State(self.client.get_status())

    def listen(self, name: str, listener):
        def called(*payload):
            payload = (Change(State(payload[1]), State(payload[0])),) if name == "status" else payload
            asyncio.run_coroutine_threadsafe(listener(*payload), self.loop)

        self.client.on(name, called)
        return lambda: self.client.off(name, called)


def on(feed: Feed, name: str, listener):
    async def awaited(*payload):
        listener(*payload)

    return feed.listen(name, awaited)


async def publish(feed: Feed, request: dict) -> None:
    if not await feed.publish(request["message"]):
        raise RuntimeError("too much waits")


async def create(settings, judge) -> Feed:
    return Feed(Client(settings.url, settings.token, Options(**settings.options)))


serve(create, on=on, ops={"send": publish})
