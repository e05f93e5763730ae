// A client of another design than the seed's: delays that grow by a half without chance or end, no end of attempts, a queue that
// drops the oldest and keeps nothing before the first connection, subscriptions first, 4001 as the end of everything.
import { EventEmitter } from 'node:events';
import { WebSocket } from 'ws';
import { serve } from './gatecheck-adapter.mjs';

class Client extends EventEmitter {
  queue = [];
  rooms = new Set();
  status = 'disconnected';
  tries = 0;

  constructor(url, token, { reconnectDelay = 1000, queueCapacity = 50 }) {
    super();
    Object.assign(this, { url, token, reconnectDelay, queueCapacity });
  }

  getStatus() { return this.status; }

  become(status) {
    const old = this.status;
    this.status = status;
    if (status !== old) this.emit('status', status, old);
  }

  connect() {
    this.wanted = true;
    this.become('connecting');
    const socket = (this.socket = new WebSocket(`${this.url}?token=${this.token}`));
    socket.on('error', () => {});
    socket.on('open', () => {
      this.tries = 0;
      this.been = true;
      this.become('connected');
      this.rooms.forEach((room) => this.write({ type: 'subscribe', payload: { eventType: room } }));
      this.queue.splice(0).forEach((message) => this.write(message));
    });
    socket.on('message', (data) => { const { type, payload } = JSON.parse(data); this.emit(type, payload); });
    socket.on('close', (code) => {
      this.become('disconnected');
      if (!this.wanted || code === 1000 || code === 4001) return;
      setTimeout(() => this.wanted && this.connect(), this.reconnectDelay * 1.5 ** this.tries++);
    });
  }

  disconnect() { this.wanted = false; this.socket?.close(1000); }

  write(message) { this.socket.send(JSON.stringify(message)); }

  send(message) {
    if (this.status === 'connected') return this.write(message);
    if (!this.been) throw new Error('connect first');
    this.queue.push(message);
    if (this.queue.length > this.queueCapacity) this.queue.shift();
  }

  subscribe(room) { this.rooms.add(room); if (this.status === 'connected') this.write({ type: 'subscribe', payload: { eventType: room } }); }

  unsubscribe(room) { this.rooms.delete(room); }
}

serve({ create: ({ url, token, options }) => new Client(url, token, options) });
