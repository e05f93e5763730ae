import type { WebSocket } from 'ws';

export interface User {
  userId: string;
  email: string;
  role: string;
}

export interface Connection {
  id: string;
  ws: WebSocket;
  user: User;
  isAlive: boolean;
}

export interface WebSocketMessage {
  type: string;
  payload?: any;
  timestamp?: string;
}
