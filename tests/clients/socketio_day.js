// A day of Socket.IO's adapter over streams on the server on the port given: so many messages from one server of Socket.IO to the
// clients of two, while the server of the database is killed so many times (whoever runs this kills it at each line "kill the
// server", and starts it again). At each kill one client of each server loses its connection too, and is told what it has missed
// out of the stream.
//
// The adapter's contract: what is in the stream is delivered, to each client once and in the stream's order. An XADD whose answer
// was lost is sent again by ioredis, so a message may be in the stream twice, and is then delivered twice.

const assert = require("node:assert");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { setTimeout: sleep } = require("node:timers/promises");
const Redis = require("ioredis");
const { Server } = require("socket.io");
const { io: connectTo } = require("socket.io-client");
const { createAdapter } = require("@socket.io/redis-streams-adapter");
const { version } = require("@socket.io/redis-streams-adapter/package.json");

const [port, messages, kills] = process.argv.slice(2).map(Number);
const STREAM = "day";
const BROADCAST = "3";
const AHEAD = 100;
const PATIENCE = 60_000;

function connect() {
  const redis = new Redis({ port, host: "127.0.0.1", maxRetriesPerRequest: null, retryStrategy: () => 50 });
  // It reports that the server is away, and connects again.
  redis.on("error", () => {});
  return redis;
}

async function until(what, holds) {
  for (const begun = Date.now(); !(await holds()); await sleep(5)) {
    assert(Date.now() - begun < PATIENCE, `waited in vain for ${what()}`);
  }
}

async function host() {
  const http = createServer();
  const adapter = createAdapter(connect(), { streamName: STREAM, maxLen: 10 * messages, blockTimeInMs: 1000 });
  const server = new Server(http, {
    adapter,
    connectionStateRecovery: { maxDisconnectionDuration: 2 * PATIENCE, skipMiddlewares: true },
  });
  server.on("connection", (socket) => socket.recovered || socket.join("all"));
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return { server, url: `http://127.0.0.1:${http.address().port}` };
}

async function join({ url }) {
  const socket = connectTo(url, { transports: ["websocket"], reconnectionDelay: 50, reconnectionDelayMax: 100 });
  const client = { socket, got: [], recovered: 0, connected: 0 };
  socket.on("number", (n) => client.got.push(n));
  socket.on("connect", () => {
    client.connected += 1;
    client.recovered += socket.recovered;
  });
  await once(socket, "connect");
  return client;
}

async function main() {
  const hosts = [await host(), await host()];
  const clients = [];
  for (const server of [...hosts, ...hosts]) clients.push(await join(server));
  const emit = (n) => hosts[0].server.to("all").emit("number", n);
  const counts = () => clients.map(({ got }) => got.length);
  const slowest = () => Math.min(...counts());
  // The readers begin where the stream ends when they first read: nothing is emitted before both do.
  const probe = connect();
  await until(() => "the readers", async () => {
    const list = await probe.client("LIST", "TYPE", "normal");
    return list.split("\n").filter((line) => / cmd=xread /.test(line) && / flags=\S*b/.test(line)).length === hosts.length;
  });
  let killed = 0;
  for (let n = 0; n < messages; n++) {
    emit(n);
    if (n - slowest() > AHEAD) await until(() => `message ${n - AHEAD} of ${counts()}`, () => n - slowest() <= AHEAD);
    if (killed < kills && n >= (messages * (killed + 1)) / (kills + 1)) {
      killed += 1;
      console.log("kill the server");
      // What has been emitted before is on its way meanwhile.
      await once(probe, "close");
      const cut = clients.slice(0, 2);
      const connected = cut.map(({ connected }) => connected);
      cut.forEach(({ socket }) => socket.io.engine.close());
      await until(() => "the clients to be back", () => cut.every((client, i) => client.connected > connected[i]));
    }
  }
  const entries = await probe.xrange(STREAM, "-", "+");
  const inStream = [];
  for (const [, fields] of entries) {
    const of = (name) => fields[fields.indexOf(name) + 1];
    // A broadcast, as the adapter writes it.
    if (of("type") === BROADCAST) inStream.push(JSON.parse(of("data")).packet.data[1]);
  }
  // What is there twice was emitted once, to the clients of the server that emits; the other reads it twice.
  const has = ({ got }, i) => (i % 2 === 0 ? new Set(got).size >= messages : got.length >= inStream.length);
  await until(() => `all ${inStream.length} messages, not ${counts()}`, () => clients.every(has));
  const lost = messages - new Set(inStream).size;
  let lostOnTheWay = 0;
  let deliveredTwice = 0;
  for (const { got } of clients) {
    lostOnTheWay += messages - new Set(got).size;
    deliveredTwice += Math.max(0, got.length - inStream.length);
  }
  // The one that stays connected to the other server has it all in the stream's order.
  assert.deepStrictEqual(clients[3].got, inStream);
  assert.deepStrictEqual(clients.map(({ recovered }) => recovered), [killed, killed, 0, 0]);
  console.log(
    `Socket.IO's streams adapter ${version}: ${messages} messages, ${killed} kills: ${lost + lostOnTheWay} lost, ` +
      `${deliveredTwice} twice without reason (${inStream.length - messages} were sent again, as the answer was cut off)`,
  );
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
