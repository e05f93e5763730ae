"""A client over a library that dials, comes back and carries texts, and has neither statuses nor listeners of its own.

A subclass has three methods over the library: `dial`, which lasts as long as the library dials or has a connection, `close` and `write`.
It calls `opened`, `received`, `failed` and `closed` as the library says so. A dial that is asked for is the status `connecting`; what
has closed and was not told to is `reconnecting`.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from gatecheck_adapter import Unsupported

__all__ = ["BareClient", "with_token"]


class BareClient:
    def __init__(self) -> None:
        self.status = "disconnected"
        self._has_opened = False
        self._dialling: asyncio.Task[None] | None = None
        self._listeners: defaultdict[str, list[Callable[..., object]]] = defaultdict(list)

    async def dial(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    async def write(self, text: str) -> None:
        raise NotImplementedError

    def get_status(self) -> str:
        return self.status

    def connect(self) -> None:
        if self.status != "disconnected":  # what dials already has no such call
            raise Unsupported
        self._become("connecting")
        self._dialling = asyncio.create_task(self._dial())

    async def disconnect(self) -> None:
        self._become("disconnected")
        if self._has_opened:
            await self.close()
        if self._dialling is not None:
            self._dialling.cancel()

    def send(self, message: dict[str, Any]) -> Any:
        timestamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self.write(json.dumps({**message, "timestamp": timestamp}))

    def on(self, name: str, listener: Callable[..., object]) -> None:
        self._listeners[name] = [*self._listeners[name], listener]

    def off(self, name: str, listener: Callable[..., object]) -> None:
        self._listeners[name] = [other for other in self._listeners[name] if other is not listener]

    def opened(self) -> None:
        self._has_opened = True
        self._become("connected")
        self._emit("connected", {})

    def received(self, text: str | bytes) -> None:
        if self.status == "disconnected":
            return  # the library may hand on what comes while it closes
        try:
            message = json.loads(text)
        except ValueError:
            return  # it is no message
        if isinstance(message, dict) and isinstance(message.get("type"), str):
            self._emit(message["type"], message.get("payload"))

    def failed(self, message: str, code: str | None = None) -> None:
        self._emit("error", {"code": code, "message": message})

    def closed(self) -> None:
        if self.status != "disconnected":
            self._become("reconnecting")
        elif asyncio.current_task() is self._dialling:
            raise asyncio.CancelledError  # before the library dials again

    async def _dial(self) -> None:
        try:
            await self.dial()
        except Exception as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            self.failed(str(error), "unauthorized" if status == 401 else None)
        self._become("disconnected")

    def _become(self, status: str) -> None:
        old, self.status = self.status, status
        if status != old:  # each failed dial closes, too
            self._emit("status", status, old)

    def _emit(self, name: str, *payload: Any) -> None:
        for listener in self._listeners[name]:
            listener(*payload)


def with_token(url: str | None, token: str | None) -> str:
    """`url` with a token in its query."""
    url = url or ""
    return url if token is None else f"{url}{'&' if '?' in url else '?'}token={quote(token, safe='')}"
