import { WebSocket } from 'ws';
import type { Connection, WebSocketMessage } from './types.js';

export class RoomManager {
  private rooms: Map<string, Set<Connection>> = new Map();

  join(room: string, connection: Connection): void {
    if (!this.rooms.has(room)) {
      this.rooms.set(room, new Set());
    }
    this.rooms.get(room)!.add(connection);
  }

  leave(room: string, connection: Connection): void {
    this.rooms.get(room)?.delete(connection);
  }

  leaveAll(connection: Connection): void {
    this.rooms.forEach(members => members.delete(connection));
  }

  broadcast(room: string, message: WebSocketMessage): void {
    const data = JSON.stringify(message);
    this.rooms.get(room)?.forEach(connection => {
      if (connection.ws.readyState === WebSocket.OPEN) {
        connection.ws.send(data);
      }
    });
  }
}
