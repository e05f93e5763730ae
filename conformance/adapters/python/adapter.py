"""What Gatecheck starts: your client, wrapped. `gatecheck_adapter.py` says what else can be told here."""

from gatecheck_adapter import Judge, Settings, serve
from client import Client, Options  # your client goes here


def create(settings: Settings, judge: Judge) -> Client:
    # The times of gatecheck.toml are in seconds: reconnect_delay, max_reconnect_delay, ping_interval, pong_timeout,
    # connect_timeout, stable_after. Beside them: max_reconnect_attempts, jitter, auto_reconnect, auto_connect, queue_capacity,
    # debug, seed, token_provider. What a case does not need is left out. Give them to your client by the names that it has for
    # them.
    options = dict(settings.options)
    token = judge.token if options.pop("token_provider", False) else settings.token
    return Client(settings.url, token, Options(**options))


serve(
    create,
    token_provider=True,
    ops={  # it knows rooms too
        "subscribe": lambda client, request: client.subscribe(request["target"]),
        "unsubscribe": lambda client, request: client.unsubscribe(request["target"]),
    },
)
