// A network and a broker that go wrong, from jest: `gatecheck proxy` and `gatecheck broker`.

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const readline = require("node:readline");
const amqp = require("amqplib");
const { WebSocket, WebSocketServer } = require("ws");

/** Starts a command of gatecheck; what it prints first, where it is controlled, and how it is ended. */
async function start(...args) {
  const child = spawn(process.env.GATECHECK ?? "gatecheck", args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child, "spawn");
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const address = (await lines.next()).value;
  const control = (await lines.next()).value;
  return {
    address,
    state: async () => (await fetch(control)).json(),
    put: async (part, value) => {
      const answer = await fetch(`${control}/${part}`, { method: "PUT", body: JSON.stringify(value) });
      expect(answer.status).toBe(200);
    },
    stop: async () => {
      child.kill();
      expect((await once(child, "exit"))[0]).toBe(0);
    },
  };
}

/** Resolves when it is closed, whatever error precedes that. */
const closing = (emitter) => new Promise((resolve) => emitter.once("close", resolve));

test("a client sees that its connection was reset, and can dial again", async () => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  const proxy = await start("proxy", "--to", `127.0.0.1:${server.address().port}`);
  for (const text of ["before", "after"]) {
    const client = new WebSocket(`ws://${proxy.address}`);
    client.on("error", () => {});
    await once(client, "open");
    client.send(text);
    const [echo] = await once(client, "message");
    expect(echo.toString()).toBe(text);
    const closed = closing(client);
    await proxy.put("network", "reset");
    expect(await closed).toBe(1006);
  }
  await proxy.stop();
  server.close();
});

test("a consumer is told when the broker drops its connection, and the queue is still there", async () => {
  const broker = await start("broker", "--control", "127.0.0.1:0");
  const consume = async () => {
    const connection = await amqp.connect(broker.address);
    connection.on("error", () => {});
    const channel = await connection.createChannel();
    await channel.assertQueue("work", { durable: true });
    return { connection, channel };
  };
  const first = await consume();
  const closed = closing(first.connection);
  await broker.put("outage", "drops_connections");
  await closed;
  const second = await consume();
  expect((await broker.state()).queues.work).toEqual({ ready: 0, unacknowledged: 0, consumers: 0 });
  await second.connection.close();
  await broker.stop();
});
