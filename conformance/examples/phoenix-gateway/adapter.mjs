// What Gatecheck starts as the client of a pair: Phoenix's own, with a channel for each topic. What is sent goes to `broadcast`.
import { Socket } from 'phoenix';
import { WebSocket } from 'ws';
import { BareClient, serve } from '../../adapters/node/gatecheck-adapter.mjs';

serve({
  create({ url, token, options: { pingInterval, debug } }) {
    const endPoint = url.replace(/\/websocket$/, ''); // `Socket` appends it
    const socket = new Socket(endPoint, { transport: WebSocket, params: () => ({ token }), heartbeatIntervalMs: pingInterval, debug });
    const channels = new Map();
    const join = (topic) => {
      if (channels.has(topic)) return;
      const channel = socket.channel(topic);
      channel.onMessage = (type, payload) => (client.received({ type, payload }), payload);
      channels.set(topic, channel);
      channel.join();
    };
    const client = new BareClient({
      dialsOnce: true,
      dial: () => socket.connect(),
      close: () => socket.disconnect(undefined, 1000),
      send: ({ type, payload }) => void channels.get('broadcast').push(type, payload),
    });
    client.subscribe = join;
    client.unsubscribe = (topic) => (channels.get(topic)?.leave(), channels.delete(topic));
    const { userId, role } = JSON.parse(atob(token.split('.')[1]));
    ['broadcast', `user:${userId}`, `role:${role.toLowerCase()}`].forEach(join);
    socket.onOpen(() => client.opened());
    socket.onError(({ message }) => client.failed(message));
    socket.onClose(() => client.closed());
    return client;
  },
});
