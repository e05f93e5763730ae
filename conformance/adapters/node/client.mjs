// A client to begin with, over `ws`: it connects, and comes back by itself. Replace it by yours.
import { EventEmitter } from 'node:events';
import { WebSocket } from 'ws';

export class Client extends EventEmitter {
  #status = 'disconnected';
  #socket = null;
  #timer;

  constructor({ url = 'ws://localhost:3000/ws', token = '', reconnectDelay = 1000 }) {
    super();
    this.url = url;
    this.token = token;
    this.reconnectDelay = reconnectDelay;
  }

  getStatus() {
    return this.#status;
  }

  connect() {
    if (this.#status === 'disconnected') this.#dial();
  }

  disconnect() {
    clearTimeout(this.#timer);
    this.#become('disconnected');
    this.#socket?.close(1000);
  }

  send(message) {
    this.#socket.send(JSON.stringify({ ...message, timestamp: new Date().toISOString() }));
  }

  subscribe(eventType) {
    this.send({ type: 'subscribe', payload: { eventType } });
  }

  unsubscribe(eventType) {
    this.send({ type: 'unsubscribe', payload: { eventType } });
  }

  #dial() {
    this.#become('connecting');
    const socket = new WebSocket(`${this.url}?token=${encodeURIComponent(this.token)}`);
    this.#socket = socket;
    socket.on('open', () => {
      this.#become('connected');
      this.emit('connected', {});
    });
    socket.on('message', (data) => {
      try {
        const { type, payload } = JSON.parse(data);
        this.emit(type, payload);
      } catch (error) {
        console.error(`ignored: ${error.message}`);
      }
    });
    socket.on('error', () => this.#become('error'));
    socket.on('close', () => {
      if (this.#status === 'disconnected') return;
      this.#become('reconnecting');
      this.#timer = setTimeout(() => this.#dial(), this.reconnectDelay);
    });
  }

  #become(status) {
    const old = this.#status;
    if (status === old) return;
    this.#status = status;
    this.emit('status', status, old);
  }
}
