// What Gatecheck starts: the socket of Phoenix's own client with its own delays. What is sent and received has one topic, `events`.
import { Socket } from 'phoenix';
import { WebSocket } from 'ws';
import { BareClient, serve } from '../../adapters/node/gatecheck-adapter.mjs';

serve({
  create({ url, token, options: { debug } }) {
    const socket = new Socket(url, { transport: WebSocket, params: () => ({ token }), debug });
    const client = new BareClient({
      dialsOnce: true,
      dial: () => socket.connect(),
      close: () => socket.disconnect(undefined, 1000),
      send: ({ type, payload }) => socket.push({ topic: 'events', event: type, payload, ref: socket.makeRef() }),
    });
    socket.onOpen(() => client.opened());
    socket.onMessage(({ event, payload }) => client.received({ type: event, payload }));
    socket.onError(({ message }) => client.failed(message));
    socket.onClose(() => client.closed());
    return client;
  },
});
