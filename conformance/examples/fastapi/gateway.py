"""A gateway as FastAPI's and aio-pika's documentation teach it: a manager of connections, a token in the query that a dependency
reads, a robust connection to RabbitMQ in the lifespan."""

import json
import os
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import Annotated

import aio_pika
import jwt
import uvicorn
from fastapi import Depends, FastAPI, Query, WebSocket, WebSocketDisconnect, WebSocketException, status

SECRET = os.environ["JWT_SECRET"]
ROLES = {"ADMIN", "CUSTOMER", "VENDOR"}


class ConnectionManager:
    def __init__(self):
        self.rooms: dict[str, set[WebSocket]] = defaultdict(set)

    async def connect(self, websocket: WebSocket, rooms: list[str]):
        await websocket.accept()
        for room in rooms:
            self.rooms[room].add(websocket)

    def disconnect(self, websocket: WebSocket):
        for members in self.rooms.values():
            members.discard(websocket)

    async def broadcast(self, room: str, message: dict):
        for websocket in list(self.rooms[room]):
            await websocket.send_json(message)


manager = ConnectionManager()


async def get_user(token: Annotated[str | None, Query()] = None) -> dict:
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"require": ["exp", "userId", "email", "role"]})
    except jwt.PyJWTError:
        raise WebSocketException(code=status.WS_1008_POLICY_VIOLATION)
    if claims["role"] not in ROLES:
        raise WebSocketException(code=status.WS_1008_POLICY_VIOLATION)
    return claims


def room_of(event: dict) -> str:
    kind = event["type"].split(":")[0]
    if kind == "payment":
        return "broadcast"
    if kind in ("profile", "session"):
        return f"user:{event['data']['userId']}"
    return "role:admin" if kind == "admin" else event["type"]


async def on_event(message: aio_pika.abc.AbstractIncomingMessage):
    async with message.process():
        event = json.loads(message.body)
        await manager.broadcast(room_of(event), {"type": event["type"], "data": event["data"]})


@asynccontextmanager
async def lifespan(app: FastAPI):
    connection = await aio_pika.connect_robust(os.environ["RABBITMQ_URL"])
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        exchange = await channel.declare_exchange("payments_events", aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue("ws_events", durable=True)
        await queue.bind(exchange, "#")
        await queue.consume(on_event)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz():
    return {"status": "ok"}


@app.websocket("/ws")
async def websocket_endpoint(websocket: WebSocket, user: Annotated[dict, Depends(get_user)]):
    own = ["broadcast", f"user:{user['userId']}", f"role:{user['role'].lower()}"]
    await manager.connect(websocket, own)
    try:
        await websocket.send_json({"type": "welcome", "user": user["userId"], "rooms": own})
        while True:
            message = await websocket.receive_json()
            await answer(websocket, own, message)
    except WebSocketDisconnect:
        manager.disconnect(websocket)


async def answer(websocket: WebSocket, own: list[str], message: dict):
    match message:
        case {"type": "ping"}:
            await websocket.send_json({"type": "pong"})
        case {"type": "subscribe", "room": str(room)}:
            if room.startswith(("user:", "role:")) and room not in own:
                await websocket.send_json({"type": "error", "code": "forbidden", "detail": room})
                return
            manager.rooms[room].add(websocket)
            await websocket.send_json({"type": "subscribed", "room": room})
        case {"type": "unsubscribe", "room": str(room)}:
            manager.rooms[room].discard(websocket)
            await websocket.send_json({"type": "unsubscribed", "room": room})
        case _:
            await websocket.send_json({"type": "error", "code": "bad_message", "detail": "not understood"})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(os.environ.get("PORT", "8000")),
        ws_ping_interval=int(os.environ.get("PING_INTERVAL_MS", "20000")) / 1000,
        ws_ping_timeout=int(os.environ.get("PONG_TIMEOUT_MS", "20000")) / 1000,
        ws_max_size=64 * 1024,
    )
