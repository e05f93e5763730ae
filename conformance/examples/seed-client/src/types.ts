export type ConnectionStatus = 'connecting' | 'connected' | 'disconnected' | 'reconnecting' | 'error';

export interface WebSocketMessage {
  type: string;
  payload?: unknown;
  timestamp?: string;
}

export type EventListener = (payload: any) => void;

export interface WebSocketClientConfig {
  url: string;
  token?: string;
  autoReconnect?: boolean;
  maxReconnectAttempts?: number;
  reconnectDelay?: number;
  maxReconnectDelay?: number;
  pingInterval?: number;
  debug?: boolean;
}

export const DEFAULT_CONFIG = {
  token: '',
  autoReconnect: true,
  maxReconnectAttempts: 10,
  reconnectDelay: 1000, // Start with 1s
  maxReconnectDelay: 30000, // Cap at 30s
  pingInterval: 30000, // Send ping every 30s
  debug: false,
};
