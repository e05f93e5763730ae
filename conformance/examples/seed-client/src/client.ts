import WebSocket, { type CloseEvent, type ErrorEvent, type MessageEvent } from 'ws';
import { ReconnectionManager } from './reconnection-manager.js';
import {
  DEFAULT_CONFIG,
  type ConnectionStatus,
  type EventListener,
  type WebSocketClientConfig,
  type WebSocketMessage,
} from './types.js';

export class WebSocketClient {
  private ws: WebSocket | null = null;
  private config: Required<WebSocketClientConfig>;
  private status: ConnectionStatus = 'disconnected';
  private reconnectionManager: ReconnectionManager;
  private listeners: Map<string, Set<EventListener>> = new Map();
  private subscriptions: Set<string> = new Set();
  private messageQueue: WebSocketMessage[] = [];
  private pingTimer: NodeJS.Timeout | null = null;
  private reconnectTimer: NodeJS.Timeout | null = null;
  private shouldReconnect = true;

  constructor(config: WebSocketClientConfig) {
    this.config = { ...DEFAULT_CONFIG, ...config };
    this.reconnectionManager = new ReconnectionManager({
      maxAttempts: this.config.maxReconnectAttempts,
      initialDelay: this.config.reconnectDelay,
      maxDelay: this.config.maxReconnectDelay,
    });
  }

  /**
   * Connect to WebSocket server
   */
  connect(): void {
    // 1. Skip if already connecting/connected
    if (this.ws && this.ws.readyState !== WebSocket.CLOSED) {
      this.log('Already connected or connecting');
      return;
    }

    this.shouldReconnect = this.config.autoReconnect;
    this.setStatus('connecting');

    try {
      // 2. Build URL with JWT token in query parameter
      const url = `${this.config.url}?token=${encodeURIComponent(this.config.token || '')}`;

      // 3. Create WebSocket connection
      this.ws = new WebSocket(url);

      // 4. Setup event handlers
      this.ws.onopen = this.handleOpen.bind(this);
      this.ws.onclose = this.handleClose.bind(this);
      this.ws.onmessage = this.handleMessage.bind(this);
      this.ws.onerror = this.handleError.bind(this);

      this.log('Connecting to WebSocket server', url);
    } catch (error) {
      this.log('Failed to connect', error);
      this.setStatus('error');
      this.scheduleReconnect();
    }
  }

  /**
   * Disconnect from WebSocket server
   */
  disconnect(): void {
    this.shouldReconnect = false;
    if (this.reconnectTimer) {
      clearTimeout(this.reconnectTimer);
      this.reconnectTimer = null;
    }
    this.stopPing();
    this.ws?.close(1000, 'Client disconnect');
    this.setStatus('disconnected');
  }

  /**
   * Send a message, or queue it while offline
   */
  send(message: WebSocketMessage): void {
    if (this.ws?.readyState === WebSocket.OPEN) {
      this.ws.send(JSON.stringify(message));
    } else {
      this.messageQueue.push(message);
    }
  }

  subscribe(eventType: string): void {
    this.subscriptions.add(eventType);
    this.send({
      type: 'subscribe',
      payload: { eventType },
      timestamp: new Date().toISOString(),
    });
  }

  unsubscribe(eventType: string): void {
    this.subscriptions.delete(eventType);
    this.send({
      type: 'unsubscribe',
      payload: { eventType },
      timestamp: new Date().toISOString(),
    });
  }

  on(eventType: string, callback: EventListener): void {
    if (!this.listeners.has(eventType)) {
      this.listeners.set(eventType, new Set());
    }
    this.listeners.get(eventType)!.add(callback);
  }

  off(eventType: string, callback: EventListener): void {
    this.listeners.get(eventType)?.delete(callback);
  }

  getStatus(): ConnectionStatus {
    return this.status;
  }

  /**
   * Handle WebSocket open (successful connection)
   */
  private handleOpen(): void {
    this.log('Connected to WebSocket server');

    // 1. Reset reconnection attempts
    this.reconnectionManager.reset();

    // 2. Update status
    this.setStatus('connected');

    // 3. Flush queued messages
    this.flushMessageQueue();

    // 4. Re-subscribe to previous subscriptions
    this.resubscribe();

    // 5. Start heartbeat (ping)
    this.startPing();

    // 6. Emit connected event
    this.emit('connected', {
      message: 'WebSocket connected',
    });
  }

  /**
   * Handle WebSocket close
   */
  private handleClose(event: CloseEvent): void {
    this.log('Disconnected from WebSocket server', event.code, event.reason);
    this.stopPing();

    if (this.shouldReconnect) {
      this.scheduleReconnect();
    } else {
      this.setStatus('disconnected');
    }
  }

  /**
   * Handle WebSocket error
   */
  private handleError(event: ErrorEvent): void {
    this.log('WebSocket error', event.message);
    this.setStatus('error');
  }

  /**
   * Handle incoming messages
   */
  private handleMessage(event: MessageEvent): void {
    try {
      const message = JSON.parse(event.data as string) as WebSocketMessage;

      // 1. Handle pong response
      if (message.type === 'pong') {
        // Clear timeout, server is alive
        return;
      }

      // 2. Handle other messages
      this.emit(message.type, message.payload);
    } catch (error) {
      this.log('Failed to parse message', error);
    }
  }

  /**
   * Reconnect with exponential backoff
   */
  private scheduleReconnect(): void {
    if (!this.reconnectionManager.canRetry()) {
      this.log('Max reconnect attempts exceeded');
      this.setStatus('disconnected');
      return;
    }

    this.setStatus('reconnecting');
    this.reconnectTimer = setTimeout(() => this.connect(), this.reconnectionManager.nextDelay());
  }

  private flushMessageQueue(): void {
    while (this.messageQueue.length > 0) {
      this.send(this.messageQueue.shift()!);
    }
  }

  private resubscribe(): void {
    this.subscriptions.forEach(eventType => {
      this.send({
        type: 'subscribe',
        payload: { eventType },
        timestamp: new Date().toISOString(),
      });
    });
  }

  /**
   * Start heartbeat (ping every 30s)
   */
  private startPing(): void {
    this.stopPing();

    this.pingTimer = setInterval(() => {
      if (this.ws?.readyState === WebSocket.OPEN) {
        this.send({
          type: 'ping',
          timestamp: new Date().toISOString(),
        });
        this.log('Ping sent');
      }
    }, this.config.pingInterval);
  }

  private stopPing(): void {
    if (this.pingTimer) {
      clearInterval(this.pingTimer);
      this.pingTimer = null;
    }
  }

  private setStatus(status: ConnectionStatus): void {
    this.status = status;
    this.emit('status', { status });
  }

  private emit(eventType: string, payload: unknown): void {
    this.listeners.get(eventType)?.forEach(listener => listener(payload));
  }

  private log(...args: unknown[]): void {
    if (this.config.debug) {
      console.log('[WebSocketClient]', ...args);
    }
  }
}
