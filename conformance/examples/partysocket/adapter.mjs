// What Gatecheck starts: the library as its page teaches, with the times of `gatecheck.toml`.
import { WebSocket as PartySocket } from 'partysocket';
import { WebSocket } from 'ws';
import { BareClient, serve, withToken } from '../../adapters/node/gatecheck-adapter.mjs';

serve({
  tokenProvider: true,
  create({ url, token, options }, judge) {
    const address = async () => withToken(url, options.tokenProvider ? await judge.token() : token);
    const socket = new PartySocket(address, undefined, {
      WebSocket,
      startClosed: true,
      debug: options.debug,
      minUptime: options.stableAfter,
      connectionTimeout: options.connectTimeout,
      minReconnectionDelay: options.reconnectDelay,
      maxReconnectionDelay: options.maxReconnectDelay,
      maxRetries: options.autoReconnect === false ? 0 : options.maxReconnectAttempts,
      maxEnqueuedMessages: options.queueCapacity,
    });
    return BareClient.over(socket, () => socket.reconnect());
  },
});
