import json
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import aio_pika
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

django_application = get_asgi_application()

from auth import QueryAuthMiddleware
from consumers import EventsConsumer, group


def room_of(event):
    kind = event["type"].split(":")[0]
    if kind == "payment":
        return "broadcast"
    if kind in ("profile", "session"):
        return f"user:{event['data']['userId']}"
    return "role:admin" if kind == "admin" else event["type"]


async def on_event(message):
    async with message.process():
        event = json.loads(message.body)
        send = {"type": "room.event", "name": event["type"], "data": event["data"]}
        await get_channel_layer().group_send(group(room_of(event)), send)


async def lifespan(scope, receive, send):
    """The in-memory layer is this process's own, so events are consumed in it."""
    await receive()
    try:
        connection = await aio_pika.connect_robust(os.environ["RABBITMQ_URL"])
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        exchange = await channel.declare_exchange("payments_events", aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue("ws_events", durable=True)
        await queue.bind(exchange, "#")
        await queue.consume(on_event)
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": repr(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await connection.close()
    await send({"type": "lifespan.shutdown.complete"})


application = ProtocolTypeRouter(
    {
        "http": django_application,
        "lifespan": lifespan,
        "websocket": QueryAuthMiddleware(URLRouter([path("ws", EventsConsumer.as_asgi())])),
    }
)
