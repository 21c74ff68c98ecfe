// Messages between processes, against the server on the port given: ioredis' subscribers, and Socket.IO's servers behind its
// two adapters, one over pub/sub and one over streams.

const assert = require("node:assert");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { setTimeout: sleep } = require("node:timers/promises");
const Redis = require("ioredis");
const { Server } = require("socket.io");
const { io: connectTo } = require("socket.io-client");
const { createAdapter: overPubSub, createShardedAdapter: overShards } = require("@socket.io/redis-adapter");
const { createAdapter: overStreams } = require("@socket.io/redis-streams-adapter");

const port = Number(process.argv[2]);
const connect = (options = {}) => new Redis({ port, host: "127.0.0.1", ...options });
const MESSAGES = Number(process.env.REDKEEP_MESSAGES ?? 500);
const PATIENCE = 20_000;
let checks = 0;

function equal(actual, expected) {
  assert.deepStrictEqual(actual, expected);
  checks += 1;
}

async function until(what, holds) {
  for (const begun = Date.now(); !(await holds()); await sleep(5)) {
    assert(Date.now() - begun < PATIENCE, `waited in vain for ${what}`);
  }
  checks += 1;
}

/** A subscriber that notes what it gets. */
function listener(options) {
  const redis = connect(options);
  const got = [];
  redis.on("message", (channel, text) => got.push([channel, text]));
  redis.on("pmessage", (pattern, channel, text) => got.push([pattern, channel, text]));
  redis.on("smessage", (channel, text) => got.push(["shard", channel, text]));
  return { redis, got };
}

async function subscribers() {
  const publisher = connect();
  const { redis, got } = listener();
  equal(await redis.subscribe("news", "sport"), 2);
  equal(await redis.psubscribe("n?ws"), 3);
  equal(await redis.ssubscribe("news"), 1);
  await assert.rejects(redis.get("k"), /subscriber mode/);
  equal(await publisher.publish("news", "1"), 2);
  equal(await publisher.spublish("news", "2"), 1);
  equal(await publisher.multi().set("k", 1).publish("sport", "3").incr("k").publish("sport", "4").exec(), [
    [null, "OK"], [null, 1], [null, 2], [null, 1],
  ]);
  equal(await publisher.eval("return redis.call('publish', KEYS[1], ARGV[1])", 1, "sport", "5"), 1);
  equal(await publisher.publish("nobody", "6"), 0);
  await until("the messages", () => got.length === 6);
  equal(got, [
    ["news", "1"], ["n?ws", "news", "1"], ["shard", "news", "2"], ["sport", "3"], ["sport", "4"], ["sport", "5"],
  ]);
  equal(await publisher.pubsub("NUMSUB", "news", "nobody"), ["news", 1, "nobody", 0]);
  equal(await publisher.pubsub("NUMPAT"), 1);
  // It subscribes again when its connection was lost.
  equal(await publisher.client("KILL", "TYPE", "pubsub"), 1);
  await until("its new connection", async () => (await publisher.publish("news", "7")) === 2);
  await until("its message", () => got.some(([channel, text]) => channel === "news" && text === "7"));
  equal(await redis.unsubscribe("news"), 2);
  equal(await redis.punsubscribe("n?ws"), 1);
  equal(await redis.unsubscribe(), 0);
  equal(await redis.sunsubscribe(), 0);
  await redis.set("k", "back");
  equal(await redis.get("k"), "back");
  redis.disconnect();
  publisher.disconnect();
}

async function manyMessages() {
  const publishers = [connect(), connect({ enableAutoPipelining: true })];
  const listeners = [listener(), listener(), listener()];
  await Promise.all(listeners.map(({ redis }) => redis.subscribe("numbers")));
  for (let n = 0; n < MESSAGES; n++) publishers[n % 2].publish("numbers", String(n));
  for (const { redis, got } of listeners) {
    await until("all numbers", () => got.length === MESSAGES);
    for (const parity of [0, 1]) {
      const numbers = got.map(([, text]) => Number(text)).filter((n) => n % 2 === parity);
      equal(numbers, Array.from({ length: Math.ceil((MESSAGES - parity) / 2) }, (_, n) => 2 * n + parity));
    }
    redis.disconnect();
  }
  publishers.forEach((redis) => redis.disconnect());
}

/** A server of Socket.IO with one client. */
async function host(adapter) {
  const http = createServer();
  const server = new Server(http, { adapter });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  server.on("connection", (socket) => socket.join(socket.handshake.auth.room));
  return { http, server };
}

async function join({ http }, room) {
  const socket = connectTo(`http://127.0.0.1:${http.address().port}`, { auth: { room }, transports: ["websocket"] });
  const got = [];
  socket.on("number", (n) => got.push(n));
  await once(socket, "connect");
  return { socket, got };
}

async function socketIo(name, adapter) {
  const hosts = [await host(adapter()), await host(adapter())];
  const clients = [await join(hosts[0], "a"), await join(hosts[1], "a"), await join(hosts[1], "b")];
  await until(`${name}: both servers`, async () => {
    const counts = hosts.map(({ server }) => server.of("/").adapter.serverCount());
    return (await Promise.all(counts)).every((count) => count === 2);
  });
  const sockets = async () => (await hosts[0].server.fetchSockets()).length;
  await until(`${name}: all sockets to be known`, async () => (await sockets()) === 3);
  for (let n = 0; n < MESSAGES; n++) hosts[n % 2].server.to("a").emit("number", n);
  hosts[0].server.to("b").emit("number", -1);
  const all = Array.from({ length: MESSAGES }, (_, n) => n);
  const order = (a, b) => a - b;
  await until(`${name}: all numbers`, () => clients[0].got.length >= MESSAGES && clients[1].got.length >= MESSAGES);
  await until(`${name}: the one of b`, () => clients[2].got.length > 0);
  for (const { got } of clients.slice(0, 2)) equal(got.toSorted(order), all);
  equal(clients[2].got, [-1]);
  const answered = new Promise((resolve) => {
    hosts[1].server.on("question", (text, answer) => answer(`${text}!`));
    hosts[0].server.serverSideEmit("question", "there?", (error, answers) => resolve([error, answers]));
  });
  equal(await answered, [null, ["there?!"]]);
  clients.forEach(({ socket }) => socket.disconnect());
  await Promise.all(hosts.map(({ server }) => server.close()));
}

async function main() {
  await subscribers();
  await manyMessages();
  const open = [];
  const opened = () => open[open.push(connect()) - 1];
  await socketIo("pub/sub", () => overPubSub(opened(), opened()));
  await socketIo("shards", () => overShards(opened(), opened()));
  await socketIo("streams", () => overStreams(opened(), { streamName: "messages" }));
  open.forEach((redis) => redis.disconnect());
  const version = (client) => `${client} ${require(`${client}/package.json`).version}`;
  console.log(`${version("ioredis")}, ${version("socket.io")}: ${checks} checks`);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
