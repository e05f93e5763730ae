"""What Gatecheck starts: the reconnecting iterator of `websockets` as its page teaches, with the times of `gatecheck.toml`."""

import logging
from contextlib import suppress
from gatecheck_adapter import serve
from gatecheck_bare_client import BareClient, with_token
from websockets.asyncio.client import connect
from websockets.client import backoff, process_exception
from websockets.exceptions import ConnectionClosed


class Client(BareClient):
    def __init__(self, settings, judge):
        super().__init__()
        logging.basicConfig(level=logging.DEBUG if settings.options.get("debug") else logging.WARNING)
        self.url, self.options, self.socket = with_token(settings.url, settings.token), settings.options, None

    async def dial(self):
        base, cap, patience = (self.options[name] for name in ("reconnect_delay", "max_reconnect_delay", "connect_timeout"))
        own = {"reconnect_delays": lambda: backoff(base, base, cap), "process_exception": self.is_fatal}
        async for self.socket in connect(self.url, open_timeout=patience, **own):
            self.opened()
            with suppress(ConnectionClosed):
                async for text in self.socket:
                    self.received(text)
            self.closed()

    def is_fatal(self, error):
        self.closed()
        return process_exception(error)

    async def close(self):
        await self.socket.close()

    async def write(self, text):
        await self.socket.send(text)


serve(Client)
