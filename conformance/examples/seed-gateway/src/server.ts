import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { authenticate } from './auth.js';
import { ConnectionManager } from './connection-manager.js';
import { WebSocketEventBridge } from './event-bridge.js';
import { startHeartbeat } from './heartbeat.js';
import { RoomManager } from './room-manager.js';
import type { Connection, WebSocketMessage } from './types.js';

const connections = new ConnectionManager();
const rooms = new RoomManager();
const bridge = new WebSocketEventBridge(rooms);

const server = createServer((request, response) => {
  response.statusCode = request.url === '/health' ? 200 : 404;
  response.end();
});
const wss = new WebSocketServer({ server, path: '/ws' });

wss.on('connection', (ws, request) => {
  const user = authenticate(request);
  if (!user) {
    ws.close(1008, 'Unauthorized');
    return;
  }

  const connection = connections.add(ws, user);
  rooms.join('broadcast', connection);
  rooms.join(`user:${user.userId}`, connection);

  ws.on('pong', () => {
    connection.isAlive = true;
  });
  ws.on('message', data => {
    try {
      handleMessage(connection, JSON.parse(data.toString()) as WebSocketMessage);
    } catch (error) {
      console.error('Failed to parse message', error);
    }
  });
  ws.on('close', () => {
    rooms.leaveAll(connection);
    connections.remove(connection);
  });
  ws.on('error', error => {
    console.error('WebSocket error', error);
  });
});

function handleMessage(connection: Connection, message: WebSocketMessage): void {
  switch (message.type) {
    case 'ping':
      connection.ws.send(JSON.stringify({ type: 'pong', timestamp: new Date().toISOString() }));
      break;
    case 'subscribe':
      rooms.join(message.payload.eventType, connection);
      break;
    case 'unsubscribe':
      rooms.leave(message.payload.eventType, connection);
      break;
  }
}

await bridge.connect();
startHeartbeat(connections);
server.listen(Number(process.env['PORT'] ?? 3000));
