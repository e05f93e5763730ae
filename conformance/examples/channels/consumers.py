from channels.generic.websocket import AsyncJsonWebsocketConsumer


def group(room):
    """Names of groups have no colons."""
    return room.replace(":", ".")


class EventsConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.rooms = set()
        user = self.scope["user"]
        if user is None:
            await self.close()
            return
        self.own = {"broadcast", f"user:{user['userId']}", f"role:{user['role'].lower()}"}
        for room in self.own:
            await self.join(room)
        await self.accept()
        await self.send_json({"action": "welcome", "user": user["userId"], "rooms": sorted(self.rooms)})

    async def disconnect(self, code):
        for room in self.rooms:
            await self.channel_layer.group_discard(group(room), self.channel_name)

    async def join(self, room):
        await self.channel_layer.group_add(group(room), self.channel_name)
        self.rooms.add(room)

    async def receive_json(self, content):
        action, room = content.get("action"), content.get("room")
        if action == "ping":
            await self.send_json({"action": "pong"})
        elif action == "subscribe":
            if room.startswith(("user:", "role:")) and room not in self.own:
                await self.send_json({"action": "error", "code": "forbidden", "message": room})
                return
            await self.join(room)
            await self.send_json({"action": "subscribed", "room": room})
        elif action == "unsubscribe":
            await self.channel_layer.group_discard(group(room), self.channel_name)
            self.rooms.discard(room)
            await self.send_json({"action": "unsubscribed", "room": room})
        else:
            await self.send_json({"action": "error", "code": "bad_message", "message": "unknown action"})

    async def room_event(self, event):
        """What `group_send` sends to the group comes here."""
        await self.send_json({"action": event["name"], "body": event["data"]})
