// What Gatecheck starts: `webSocket` and `retry` as their pages teach, with the times of `gatecheck.toml`.
import { retry, timer } from 'rxjs';
import { webSocket } from 'rxjs/webSocket';
import { WebSocket } from 'ws';
import { BareClient, serve, withToken } from '../../adapters/node/gatecheck-adapter.mjs';

serve({
  create({ url, token, options }) {
    const { reconnectDelay = 1000, maxReconnectAttempts, autoReconnect } = options;
    const socket = webSocket({
      url: withToken(url, token),
      WebSocketCtor: WebSocket,
      openObserver: { next: () => client.opened() },
    });
    const messages = socket.pipe(
      retry({
        count: autoReconnect === false ? 0 : maxReconnectAttempts,
        resetOnSuccess: true,
        delay: () => (client.closed(), timer(reconnectDelay)),
      }),
    );
    let subscription;
    const client = new BareClient({
      dial: () => {
        subscription = messages.subscribe({
          next: (message) => client.received(message),
          error: () => client.ended({ gaveUp: true }),
          complete: () => client.ended(),
        });
      },
      close: () => subscription?.unsubscribe(),
      send: (message) => socket.next(message),
    });
    return client;
  },
});
