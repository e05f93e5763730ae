// What a gateway written with amqplib does with its broker. Exits with 0 where all of it worked.
'use strict';

const assert = require('node:assert');
const amqp = require('amqplib');

const url = process.argv[2];
const name = (what) => `gatecheck.amqplib.${process.pid}.${what}`;

/** A consumer whose deliveries can be awaited one by one. */
async function consume(channel, queue, options) {
  const arrived = [];
  const waiting = [];
  const { consumerTag } = await channel.consume(
    queue,
    (message) => (waiting.length > 0 ? waiting.shift()(message) : arrived.push(message)),
    options,
  );
  return {
    consumerTag,
    next: () => (arrived.length > 0 ? Promise.resolve(arrived.shift()) : new Promise((got) => waiting.push(got))),
  };
}

async function events(connection) {
  const channel = await connection.createConfirmChannel();
  const exchange = name('events');
  const queue = name('ws_events');
  await channel.assertExchange(exchange, 'topic', { durable: true });
  await channel.assertQueue(queue, { durable: true });
  await channel.bindQueue(queue, exchange, '#');
  await channel.prefetch(10);
  const consumer = await consume(channel, queue);

  const body = Buffer.from(JSON.stringify({ type: 'payment:updated', data: { userId: 'u1' } }));
  channel.publish(exchange, 'payment.updated', body, { persistent: true, headers: { n: 1, deep: { list: [1, 'a'] } } });
  await channel.waitForConfirms();
  const first = await consumer.next();
  assert.deepStrictEqual(first.content, body);
  assert.strictEqual(first.fields.redelivered, false);
  assert.deepStrictEqual(first.properties.headers, { n: 1, deep: { list: [1, 'a'] } });
  channel.nack(first, false, true);
  const again = await consumer.next();
  assert.strictEqual(again.fields.redelivered, true);
  channel.ack(again);

  const large = Buffer.alloc(1_000_000, 'x');
  channel.sendToQueue(queue, large);
  const got = await consumer.next();
  assert.ok(got.content.equals(large));
  channel.ack(got);

  const returned = new Promise((resolve) => channel.once('return', resolve));
  channel.publish('', name('nowhere'), Buffer.from('lost'), { mandatory: true });
  assert.strictEqual((await returned).fields.replyCode, 312);
  await channel.waitForConfirms();

  await channel.cancel(consumer.consumerTag);
  assert.strictEqual((await channel.checkQueue(queue)).messageCount, 0);
  assert.strictEqual(await channel.get(queue), false);
  await channel.deleteQueue(queue);
  await channel.deleteExchange(exchange);
  await channel.close();
}

async function errors(connection) {
  const doomed = await connection.createChannel();
  const failed = new Promise((resolve) => doomed.once('error', resolve));
  await assert.rejects(doomed.checkQueue(name('missing')), /404/);
  assert.strictEqual((await failed).code, 404);

  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  assert.match(queue, /^amq\.gen-/);
  const consumer = await consume(channel, queue, { noAck: true });
  await channel.deleteQueue(queue);
  assert.strictEqual(await consumer.next(), null, 'a deleted queue cancels its consumer');
  await channel.close();
}

async function main() {
  const connection = await amqp.connect(`${url}?heartbeat=5`);
  await events(connection);
  await errors(connection);
  await connection.close();
  await assert.rejects(amqp.connect(url.replace('guest:guest', 'guest:guess')), /ACCESS.REFUSED/);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
