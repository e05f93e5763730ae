// What TypeScript knows of gatecheck-adapter.mjs.

/** Serves one client until the input ends or `exit` is asked for. */
export function serve<Client extends object>(hooks: Hooks<Client>): void;

/** Thrown for what the client does not have: cases that need it are not run. */
export class Unsupported extends Error {}

/** A client over a library that dials, comes back and carries messages, and has neither statuses nor listeners of its own. */
export class BareClient {
  constructor(library: BareLibrary);
  /** One over what looks like a WebSocket, is made closed, and carries JSON; `dial` opens it, and opens it again. */
  static over(socket: SocketLike, dial: () => unknown): BareClient;
  getStatus(): string;
  connect(): void;
  disconnect(): void;
  send(message: { type: string; payload?: unknown }): unknown;
  on(name: string, listener: Listener): void;
  off(name: string, listener: Listener): void;
  /** What the adapter calls as the library says so. */
  opened(): void;
  received(message: unknown): void;
  failed(message?: string): void;
  closed(): void;
  ended(why?: { gaveUp?: boolean }): void;
}

export interface BareLibrary {
  dial(): unknown;
  close(): unknown;
  send(message: { type: string; payload?: unknown; timestamp: string }): unknown;
  /** Whether `dial` may be called while it dials, or is connected. */
  dialsOnce?: boolean;
}

export interface SocketLike {
  addEventListener(name: string, listener: (event: any) => void): void;
  send(text: string): unknown;
  close(code: number): unknown;
}

/** `url` with a token in its query. */
export function withToken(url: string | undefined, token: string | null | undefined): string | undefined;

export interface Hooks<Client> {
  /** Makes the client. */
  create(settings: Settings, judge: Judge): Client | Promise<Client>;
  /** The name of the status event, or a function that calls `changed` at each change. Default: `status`. */
  status?: string | ((client: Client, changed: (status: string, old?: string) => void) => void);
  /** Registers a listener, where that is not `client.on(name, listener)`; a function that it returns removes it. */
  on?(client: Client, name: string, listener: Listener): unknown;
  /** Removes a listener, where that is not `client.off(name, listener)`. */
  off?(client: Client, name: string, listener: Listener): unknown;
  /** Whether `create` hands `judge.token` to the client. */
  tokenProvider?: boolean;
  /** Requests that need more than a method of the same name. What one returns is the answer's value. */
  ops?: Record<string, (client: Client, request: Request) => unknown>;
}

export type Listener = (payload?: unknown) => void;

/** A request of the adapter protocol: its `op`, and what belongs to it. */
export interface Request {
  id: number;
  op: string;
  // Which fields there are is told by the op.
  [field: string]: any;
}

/** How the client is configured. What is missing is for the client's own default. */
export interface Settings {
  url?: string;
  token?: string;
  options: Options;
  dialect: Record<string, unknown>;
}

/** Times are in milliseconds. */
export interface Options {
  reconnectDelay?: number;
  maxReconnectDelay?: number;
  maxReconnectAttempts?: number;
  jitter?: number;
  pingInterval?: number;
  pongTimeout?: number;
  connectTimeout?: number;
  stableAfter?: number;
  autoReconnect?: boolean;
  autoConnect?: boolean;
  queueCapacity?: number;
  debug?: boolean;
  tokenProvider?: boolean;
  seed?: number;
}

export interface Judge {
  /** Asks for the token of a dial. */
  token(): Promise<string>;
  /** Tells what an error tracker would get. */
  report(message: string, user?: unknown): void;
  /** Reports anything else of the protocol. */
  event(name: string, fields: Record<string, unknown>): void;
}
