// A gateway as the documentation of `graphql-ws` teaches it: the token comes in the parameters of `connection_init`, and what a
// client wants to hear of is a subscription of its schema.
import { EventEmitter, on } from 'node:events';
import { createServer } from 'node:http';
import amqp from 'amqplib';
import { buildSchema, GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import jwt from 'jsonwebtoken';
import { WebSocketServer } from 'ws';

const { PORT = '4000', JWT_SECRET, RABBITMQ_URL = 'amqp://localhost', PING_INTERVAL_MS = '12000' } = process.env;
const ROLES = ['ADMIN', 'CUSTOMER', 'VENDOR'];

const schema = buildSchema(`
  scalar JSON
  type Event { type: String!, data: JSON }
  type Query { ok: Boolean }
  type Subscription { room(name: String!): Event! }
`);
const bus = new EventEmitter().setMaxListeners(0);

const roots = {
  subscription: {
    async *room({ name }, { user }) {
      const own = [`user:${user.userId}`, `role:${user.role.toLowerCase()}`];
      if (/^(user|role):/.test(name) && !own.includes(name)) {
        throw new GraphQLError('forbidden', { extensions: { code: 'forbidden' } });
      }
      for await (const [event] of on(bus, name)) yield { room: event };
    },
  },
};

function verify(token) {
  const { userId, email, role } = jwt.verify(token, JWT_SECRET, { algorithms: ['HS256'] });
  if (!userId || !email || !ROLES.includes(role)) throw new Error('claims are missing');
  return { userId, email, role };
}

const server = createServer((request, response) => {
  response.writeHead(request.url === '/healthz' ? 200 : 404).end();
});
const wss = new WebSocketServer({ server, path: '/graphql', maxPayload: 64 * 1024 });
useServer(
  {
    schema,
    roots,
    onConnect: (context) => {
      try {
        context.extra.user = verify(context.connectionParams?.token);
        return true;
      } catch {
        return false; // the connection is closed with 4403
      }
    },
    context: ({ extra }) => ({ user: extra.user }),
  },
  wss,
  Number(PING_INTERVAL_MS),
);

const roomOf = ({ type, data }) => {
  if (type.startsWith('payment:')) return 'broadcast';
  if (/^(profile|session):/.test(type)) return `user:${data.userId}`;
  return type.startsWith('admin:') ? 'role:admin' : type;
};

const channel = await (await amqp.connect(RABBITMQ_URL)).createChannel();
await channel.assertExchange('payments_events', 'topic', { durable: true });
await channel.assertQueue('ws_events', { durable: true });
await channel.bindQueue('ws_events', 'payments_events', '#');
await channel.consume('ws_events', (message) => {
  try {
    const event = JSON.parse(message.content.toString());
    bus.emit(roomOf(event), event);
    channel.ack(message);
  } catch {
    channel.nack(message, false, false);
  }
});
server.listen(Number(PORT));
