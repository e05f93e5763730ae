// What Gatecheck starts: the client of `graphql-ws`, with the pong timeout of its page of recipes. A room is a subscription, and the
// first one opens the connection.
import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { BareClient, serve } from '../../adapters/node/gatecheck-adapter.mjs';

const query = 'subscription ($room: String!) { room(name: $room) { type data } }';

serve({
  create({ url, token, options: { reconnectDelay, maxReconnectDelay, maxReconnectAttempts, autoReconnect, pingInterval, pongTimeout } }) {
    let timer;
    const library = createClient({
      url,
      webSocketImpl: WebSocket,
      connectionParams: { token },
      keepAlive: pingInterval,
      retryAttempts: autoReconnect === false ? 0 : maxReconnectAttempts,
      retryWait: (retries) => wait(Math.min(reconnectDelay * 2 ** retries, maxReconnectDelay)),
      shouldRetry: () => true, // with `ws`, a dial that fails is an error event
      on: {
        connected: () => client.opened(),
        closed: () => client.closed(),
        error: ({ message }) => client.failed(message),
        ping: (received) => received || (timer = setTimeout(() => library.terminate(), pongTimeout)),
        pong: (received) => received && clearTimeout(timer),
      },
    });
    const rooms = new Map();
    const next = ({ data: { room } }) => client.received({ type: room.type, payload: room.data });
    const error = () => (rooms.clear(), client.ended({ gaveUp: true })); // of every subscription, once the client has given up
    const subscribe = (room) =>
      rooms.has(room) || rooms.set(room, library.subscribe({ query, variables: { room } }, { next, error, complete() {} }));
    const unsubscribe = (room) => (rooms.get(room)?.(), rooms.delete(room));
    const client = new BareClient({ dialsOnce: true, dial: () => subscribe('broadcast'), close: () => [...rooms.keys()].forEach(unsubscribe) });
    return Object.assign(client, { subscribe: (room) => void subscribe(room), unsubscribe: (room) => void unsubscribe(room), send: undefined });
  },
});
