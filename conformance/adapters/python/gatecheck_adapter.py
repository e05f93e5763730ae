"""Gatecheck's adapter for clients in Python: it answers requests on standard input, and reports on standard output, JSON
objects, one a line. It judges nothing, and needs Python 3.11 and nothing else.

    from client import MyClient
    from gatecheck_adapter import Judge, Settings, serve

    def create(settings: Settings, judge: Judge) -> MyClient:
        return MyClient(settings.url, settings.token, **settings.options)

    serve(create)

That is all for a class with `connect`, `disconnect`, `send`, `subscribe`, `unsubscribe`, `on`, `off` and `get_status`, plain or
asynchronous, that announces each status by an event `status`. They are called in asyncio's loop, which they must not block;
events may come from any thread. What differs is told to `serve` by these, all of them optional:

    status          the name of the status event, or `(client, changed) -> None` which has `changed(status, old)` called at each
                    change. Without `old` it is the status before. An event may carry `(status, old)`, or a mapping or an
                    object with `status` (or `new`, `current`) and `old` (or `previous`). Members of an `Enum` count by value.
    on, off         `(client, name, listener)`, where listeners are registered in another way. What `on` returns, if it can be
                    called, removes the listener. A client that awaits its listeners gets them wrapped here.
    token_provider  True where `create` hands `judge.token` to the client: an asynchronous function that is asked for the
                    token of each dial. Cases about token providers are not run without it.
    ops             `{name: (client, request) -> value}`, plain or asynchronous, for any request of the protocol that needs more
                    than a method of the same name, or that the class has no method for. What it returns is the answer's
                    value. It raises `Unsupported` for what the client cannot do.

`settings` has what is to be used, and `None` or nothing for what was not given, so that the client's own defaults count.
Options have names as Python writes them, and times in seconds; `get_config`, where the class has it, answers alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from enum import Enum
from typing import Any

__all__ = ["Judge", "Settings", "Unsupported", "serve"]

# Standard output belongs to the protocol. What anybody else prints there, in C or in a child too, goes to standard error,
# which is shown with a failure.
_output = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
os.dup2(2, 1)
sys.stdout = sys.stderr

MOMENT = 0.01
"""How long a call is waited for, in seconds: `connect()` may return only once it is connected."""
GOODBYE = 0.2
"""How long the client may take to say goodbye, in seconds."""

Listener = Callable[..., None]
Op = Callable[[Any, dict[str, Any]], Any]


class Unsupported(Exception):
    """Raised for what the client does not have: cases that need it are not run."""


@dataclass(frozen=True)
class Settings:
    """What a client is to use."""

    url: str | None = None
    token: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """Of `reconnect_delay`, `max_reconnect_delay`, `ping_interval`, `pong_timeout`, `connect_timeout`, `stable_after` in seconds,
    `max_reconnect_attempts`, `jitter`, `auto_reconnect`, `auto_connect`, `queue_capacity`, `debug`, `token_provider` and `seed`
    those that were given."""
    dialect: dict[str, Any] = field(default_factory=dict)


class Judge:
    """To whom a client's doings are told."""

    def __init__(self) -> None:
        self._dials: deque[asyncio.Future[str]] = deque()  # those that wait for a token, the oldest first

    async def token(self) -> str:
        """Asks for the token of a dial."""
        dial: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._dials.append(dial)
        self.event("token_wanted")
        return await dial

    def report(self, message: object, user: Mapping[str, Any] | None = None) -> None:
        """Tells what an error tracker would get, with the signed-in user."""
        self.event("report", message=str(message), user=user)

    def event(self, event: str, **fields: Any) -> None:
        """Reports anything else of the protocol."""
        _write({"event": event, **fields})

    def _answer(self, request: dict[str, Any]) -> None:
        if not self._dials:
            raise LookupError("no dial waits for a token")
        dial = self._dials.popleft()
        if dial.done():  # the client has given it up
            return
        if (token := request.get("token")) is not None:
            dial.set_result(token)
        else:
            dial.set_exception(LookupError(request.get("error") or "there is none"))


def serve(
    create: Callable[[Settings, Judge], Any],
    *,
    status: str | Callable[[Any, Callable[..., None]], object] = "status",
    on: Callable[[Any, str, Listener], Any] | None = None,
    off: Callable[[Any, str, Listener], object] | None = None,
    token_provider: bool = False,
    ops: Mapping[str, Op] | None = None,
) -> None:
    """Serves one client until the input ends or `exit` is asked for, which ends the process."""
    asyncio.run(_Adapter(create, status, on, off, token_provider, dict(ops or {})).run())


class _Adapter:
    def __init__(
        self,
        create: Callable[[Settings, Judge], Any],
        status: str | Callable[[Any, Callable[..., None]], object],
        on: Callable[[Any, str, Listener], Any] | None,
        off: Callable[[Any, str, Listener], object] | None,
        token_provider: bool,
        ops: dict[str, Op],
    ) -> None:
        self._create, self._source, self._on, self._off = create, status, on, off
        self._token_provider = token_provider
        self._ops = OPS | {"on": self._on_event, "off": self._deafen, "react": self._react} | ops
        self._judge = Judge()
        self._client: Any = None
        self._status = "disconnected"
        self._removers: dict[tuple[str, str], Callable[[], Any] | None] = {}

    async def run(self) -> None:
        lines: asyncio.Queue[bytes] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        threading.Thread(target=_read, args=(loop, lines), daemon=True).start()
        while line := await lines.get():
            if line.strip() and not await self._serve(line):
                break
        await self._leave()

    async def _serve(self, line: bytes) -> bool:
        """Serves a line; false when it was the last."""
        request: dict[str, Any] = {}
        try:
            request = _request(line)
            answer = {"ok": True} | await self._perform(request.get("op"), request)
        except Unsupported:
            answer = {"unsupported": True}
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        _write({"id": request.get("id"), **answer})
        return bool(request.get("op") != "exit")

    async def _perform(self, op: object, request: dict[str, Any]) -> dict[str, Any]:
        """What belongs into the answer."""
        if not isinstance(op, str):
            raise ValueError("a request has an `op`")
        if op == "exit":
            return {}
        if op == "configure":
            await self._configure(request)
            return {}
        if op in ("token", "fail_token"):
            self._judge._answer(request)
            return {}
        if op not in self._ops:
            raise Unsupported
        if self._client is None:
            raise LookupError("`configure` comes first")
        value = await _resolved(self._ops[op](self._client, request))
        # Under which key an answer has its value.
        return {} if value is None and op != "get_query" else {op if op in ("config", "status") else "value": value}

    async def _configure(self, request: dict[str, Any]) -> None:
        options = {_snake(name): _seconds(name, value) for name, value in (request.get("options") or {}).items()}
        if options.get("token_provider") and not self._token_provider:
            raise Unsupported
        settings = Settings(request.get("url"), request.get("token"), options, request.get("dialect") or {})
        self._client = await _resolved(self._create(settings, self._judge))
        if callable(self._source):
            await _resolved(self._source(self._client, self._changed))
        else:
            await self._register(self._source, self._announced)

    def _changed(self, status: Any, old: Any = None) -> None:
        old, self._status = _word(old) or self._status, _word(status)
        _write({"event": "status", "old": old, "status": self._status})

    def _announced(self, status: Any = None, old: Any = None, *_: Any) -> None:
        if isinstance(status, (str, Enum)):
            self._changed(status, old)
        else:
            self._changed(_part(status, "status", "new", "current"), _part(status, "old", "previous"))

    async def _register(self, name: str, listener: Listener) -> Callable[[], Any] | None:
        """Registers a listener, and says how it is removed."""
        client, off = self._client, self._off
        remove = await _resolved(self._on(client, name, listener) if self._on else _method(client, "on")(name, listener))
        if off is not None:
            return lambda: off(client, name, listener)
        if callable(getattr(client, "off", None)):
            return lambda: client.off(name, listener)
        return remove if callable(remove) else None

    async def _on_event(self, _: Any, request: dict[str, Any]) -> None:
        def does() -> None:
            if request.get("fails"):
                raise RuntimeError("told to fail")

        await self._listen(request, does)

    async def _react(self, client: Any, request: dict[str, Any]) -> None:
        """A listener that calls the client, from within it, the first time that it is called itself."""
        acts = [request["do"]]
        op = acts[0]["op"]
        if op in OPS and self._ops[op] is OPS[op]:
            _method(client, op)  # unsupported where the class has no such method
            if "target" in acts[0]:
                _event_type(acts[0])

        def does() -> None:
            if not acts:
                return
            act = acts.pop()
            try:
                result = self._ops[op](client, act)
            except Exception as error:  # what the client refuses is no failure of its listener
                print(f"{op}: {error!r}", file=sys.stderr)
                return
            if inspect.isawaitable(result):
                _keep(asyncio.ensure_future(result), op)

        await self._listen(request, does)

    async def _listen(self, request: dict[str, Any], does: Callable[[], None]) -> None:
        """Registers a listener that reports each call, and then does this."""
        name, listener = request["name"], request["listener"]

        def emitted(*payload: Any) -> None:
            _write({"event": "emit", "name": name, "payload": payload[0] if payload else None, "listener": listener})
            does()

        before = self._removers.get((name, listener))
        self._removers[name, listener] = await self._register(name, emitted)
        if before is not None:
            await _resolved(before())

    async def _deafen(self, _: Any, request: dict[str, Any]) -> None:
        key = (request["name"], request["listener"])
        if key not in self._removers:
            return
        remove = self._removers[key]
        if remove is None:
            raise Unsupported
        del self._removers[key]
        await _resolved(remove())

    async def _leave(self) -> None:
        """Leaving is polite: the client disconnects as if it were asked to, and has a moment for it. What it does then is of no
        interest."""
        try:
            async with asyncio.timeout(GOODBYE):
                if self._client is not None:
                    with contextlib.suppress(Unsupported):
                        await _resolved(self._ops["disconnect"](self._client, {"op": "disconnect"}))
                while others := asyncio.all_tasks() - {asyncio.current_task()}:
                    await asyncio.wait(others)
        except TimeoutError:
            pass
        except Exception as error:
            print(f"disconnect: {error!r}", file=sys.stderr)
        finally:
            _output.flush()
            sys.stderr.flush()
            os._exit(0)


def _request(line: bytes) -> dict[str, Any]:
    request = json.loads(line)
    if not isinstance(request, dict):
        raise ValueError("a request is an object")
    return request


def _call(name: str, *fields: Callable[[dict[str, Any]], Any]) -> Op:
    """A request that a method of the class answers, as far as that is known after a moment."""

    def op(client: Any, request: dict[str, Any]) -> Any:
        return _accepted(_method(client, name)(*(field(request) for field in fields)), name)

    return op


async def _accepted(result: Any, name: str) -> None:
    # A sender learns of a full queue by an exception, or by `False`.
    if await _soon(result, name) is False and name == "send":
        raise RuntimeError("refused")


def _event_type(request: dict[str, Any]) -> str:
    """The seed's clients subscribe to event types; one that knows rooms too has `subscribe` among its `ops`."""
    match request.get("target"):
        case {"eventType": str(name)}:
            return name
    raise Unsupported


async def _config(client: Any, _: dict[str, Any]) -> dict[str, Any]:
    config = await _resolved(_method(client, "get_config")())
    config = asdict(config) if is_dataclass(config) and not isinstance(config, type) else config
    return {_camel(name): _milliseconds(_camel(name), value) for name, value in config.items()}


async def _get_status(client: Any, _: dict[str, Any]) -> Any:
    return _word(await _resolved(_method(client, "get_status")()))


OPS: dict[str, Op] = {
    "connect": _call("connect"),
    "disconnect": _call("disconnect"),
    "send": _call("send", lambda request: request["message"]),
    "subscribe": _call("subscribe", _event_type),
    "unsubscribe": _call("unsubscribe", _event_type),
    "set_token": _call("set_token", lambda request: request.get("token")),
    "set_user": _call("set_user", lambda request: request.get("user")),
    "status": _get_status,
    "config": _config,
}


def _method(client: Any, name: str) -> Callable[..., Any]:
    method: Callable[..., Any] | None = getattr(client, name, None)
    if not callable(method):
        raise Unsupported
    return method


async def _resolved(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


_late: set[asyncio.Future[Any]] = set()  # the loop keeps no task alive


async def _soon(result: Any, name: str) -> Any:
    """What is known after a moment. A call that fails later harms nobody; what it says is kept."""
    if not inspect.isawaitable(result):
        return result
    call = asyncio.ensure_future(result)
    await asyncio.wait({call}, timeout=MOMENT)
    if call.done():
        return None if call.cancelled() else call.result()
    _keep(call, name)
    return None


def _keep(call: asyncio.Future[Any], name: str) -> None:
    _late.add(call)
    call.add_done_callback(lambda call: _ended(call, name))


def _ended(call: asyncio.Future[Any], name: str) -> None:
    _late.discard(call)
    if not call.cancelled() and (error := call.exception()) is not None:
        print(f"{name}: {error!r}", file=sys.stderr)


def _read(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[bytes]) -> None:
    """Hands on lines, and an empty one at the end; a thread can do that for every kind of standard input."""
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    loop.call_soon_threadsafe(lines.put_nowait, b"")


_writing = threading.Lock()  # events may come from any thread


def _write(line: dict[str, Any]) -> None:
    text = json.dumps(line, default=_plain)
    with _writing:
        try:
            _output.write(f"{text}\n")
            _output.flush()
        except BrokenPipeError:
            os._exit(0)  # nobody listens any more


def _plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, BaseException):
        return {**vars(value), "message": str(value)}
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def _part(change: Any, *names: str) -> Any:
    """What a mapping or an object has under the first of the names that it knows."""
    for name in names:
        if isinstance(change, Mapping):
            if name in change:
                return change[name]
        elif hasattr(change, name):
            return getattr(change, name)
    return None


def _word(status: Any) -> Any:
    return status.value if isinstance(status, Enum) else status


TIMES = {"reconnectDelay", "maxReconnectDelay", "pingInterval", "pongTimeout", "connectTimeout", "stableAfter"}
"""The options that are milliseconds in the protocol."""


def _seconds(name: str, value: Any) -> Any:
    return value / 1000 if name in TIMES and value is not None else value


def _milliseconds(name: str, value: Any) -> Any:
    return round(value * 1000) if name in TIMES and value is not None else value


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda letter: letter[1].upper(), name)
