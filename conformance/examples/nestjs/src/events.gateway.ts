import { IncomingMessage } from 'node:http';
import { JwtService } from '@nestjs/jwt';
import {
  ConnectedSocket,
  MessageBody,
  OnGatewayConnection,
  OnGatewayDisconnect,
  OnGatewayInit,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
} from '@nestjs/websockets';
import { Server, WebSocket } from 'ws';
import { Rooms } from './rooms';

interface Client extends WebSocket {
  isAlive: boolean;
  own?: string[];
}

const ROLES = ['ADMIN', 'CUSTOMER', 'VENDOR'];

@WebSocketGateway({ path: '/ws', maxPayload: 64 * 1024 })
export class EventsGateway implements OnGatewayInit, OnGatewayConnection, OnGatewayDisconnect {
  @WebSocketServer()
  server!: Server;

  constructor(
    private readonly jwt: JwtService,
    private readonly rooms: Rooms,
  ) {}

  /** The heartbeat of the README of `ws`. */
  afterInit(server: Server) {
    const interval = setInterval(() => {
      (server.clients as Set<Client>).forEach((client) => {
        if (client.isAlive === false) return client.terminate();
        client.isAlive = false;
        client.ping();
      });
    }, Number(process.env.PING_INTERVAL_MS ?? 30000));
    server.on('close', () => clearInterval(interval));
  }

  async handleConnection(client: Client, request: IncomingMessage) {
    client.isAlive = true;
    client.on('pong', () => (client.isAlive = true));
    try {
      const token = new URL(request.url!, 'http://localhost').searchParams.get('token');
      const { userId, email, role } = await this.jwt.verifyAsync(token!);
      if (!userId || !email || !ROLES.includes(role)) throw new Error('claims are missing');
      client.own = ['broadcast', `user:${userId}`, `role:${role.toLowerCase()}`];
      client.own.forEach((room) => this.rooms.join(room, client));
      client.send(JSON.stringify({ event: 'connected', data: { userId, rooms: client.own } }));
    } catch {
      client.close(4401, 'Unauthorized');
    }
  }

  handleDisconnect(client: Client) {
    this.rooms.leaveAll(client);
  }

  @SubscribeMessage('ping')
  ping() {
    return { event: 'pong' };
  }

  @SubscribeMessage('subscribe')
  subscribe(@MessageBody('room') room: string, @ConnectedSocket() client: Client) {
    const isPrivate = /^(user|role):/.test(room);
    if (!client.own || (isPrivate && !client.own.includes(room))) throw new WsException('forbidden');
    this.rooms.join(room, client);
    return { event: 'subscribed', data: { room } };
  }

  @SubscribeMessage('unsubscribe')
  unsubscribe(@MessageBody('room') room: string, @ConnectedSocket() client: Client) {
    this.rooms.leave(room, client);
    return { event: 'unsubscribed', data: { room } };
  }
}
