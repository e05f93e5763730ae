import { Injectable } from '@nestjs/common';
import { WebSocket } from 'ws';

/** `ws` has no rooms, so every team writes these. */
@Injectable()
export class Rooms {
  private readonly rooms = new Map<string, Set<WebSocket>>();

  join(room: string, client: WebSocket) {
    if (!this.rooms.has(room)) this.rooms.set(room, new Set());
    this.rooms.get(room)!.add(client);
  }

  leave(room: string, client: WebSocket) {
    this.rooms.get(room)?.delete(client);
  }

  leaveAll(client: WebSocket) {
    this.rooms.forEach((members) => members.delete(client));
  }

  emit(room: string, event: string, data: unknown) {
    const message = JSON.stringify({ event, data });
    this.rooms.get(room)?.forEach((client) => client.send(message));
  }
}
