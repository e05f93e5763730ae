import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { Connection, User } from './types.js';

export class ConnectionManager {
  private connections: Map<string, Connection> = new Map();

  add(ws: WebSocket, user: User): Connection {
    const connection = { id: randomUUID(), ws, user, isAlive: true };
    this.connections.set(connection.id, connection);
    return connection;
  }

  remove(connection: Connection): void {
    this.connections.delete(connection.id);
  }

  all(): Connection[] {
    return [...this.connections.values()];
  }
}
