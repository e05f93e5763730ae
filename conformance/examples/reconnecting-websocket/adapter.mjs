// What Gatecheck starts: the library as its page teaches, with the times of `gatecheck.toml`.
import ReconnectingWebSocket from 'reconnecting-websocket';
import { WebSocket } from 'ws';
import { BareClient, serve, withToken } from '../../adapters/node/gatecheck-adapter.mjs';

/** Its delays begin by chance between one and five seconds; here between as many times `reconnect_delay`. */
const chance = 1 + 4 * Math.random();

serve({
  tokenProvider: true,
  create({ url, token, options }, judge) {
    const address = async () => withToken(url, options.tokenProvider ? await judge.token() : token);
    const socket = new ReconnectingWebSocket(address, undefined, {
      WebSocket,
      startClosed: true,
      debug: options.debug,
      minUptime: options.stableAfter,
      connectionTimeout: options.connectTimeout,
      minReconnectionDelay: options.reconnectDelay && options.reconnectDelay * chance,
      maxReconnectionDelay: options.maxReconnectDelay,
      maxRetries: options.autoReconnect === false ? 0 : options.maxReconnectAttempts,
      maxEnqueuedMessages: options.queueCapacity,
    });
    return BareClient.over(socket, () => socket.reconnect());
  },
});
