// ioredis against the server on the port given: strings, pipelines, transactions, scans, buffers, databases, passwords, reconnecting.

const assert = require("node:assert");
const Redis = require("ioredis");

const port = Number(process.argv[2]);
const connect = (options = {}) => new Redis({ port, host: "127.0.0.1", commandTimeout: 20000, ...options });
let checks = 0;

async function equal(promise, expected) {
  assert.deepStrictEqual(await promise, expected);
  checks += 1;
}

async function strings(redis) {
  await equal(redis.set("k", "v"), "OK");
  await equal(redis.get("k"), "v");
  await equal(redis.get("missing"), null);
  await equal(redis.set("k", "w", "EX", 100, "NX"), null);
  await equal(redis.set("k", "w", "EX", 100, "GET"), "v");
  assert((await redis.ttl("k")) > 90);
  await equal(redis.getex("k", "PERSIST"), "w");
  await equal(redis.setBuffer("bytes", Buffer.from([0, 255, 13, 10])), Buffer.from("OK"));
  await equal(redis.getBuffer("bytes"), Buffer.from([0, 255, 13, 10]));
  await equal(redis.mset({ a: 1, b: 2 }), "OK");
  await equal(redis.mget("a", "missing", "b"), ["1", null, "2"]);
  await equal(redis.incrby("a", 41), 42);
  await equal(redis.incrbyfloat("f", 0.1), "0.1");
  await equal(redis.append("k", "!"), 2);
  await equal(redis.getrange("k", -1, -1), "!");
  await equal(redis.setbit("bits", 3, 1), 0);
  await equal(redis.bitcount("bits"), 1);
  await equal(redis.bitfield("bits", "GET", "u8", 0), [16]);
  await assert.rejects(redis.incr("k"), /ERR value is not an integer or out of range/);
  const large = "x".repeat(3_000_000);
  await redis.set("large", large);
  await equal(redis.get("large"), large);
}

async function pipelines(redis) {
  const pipeline = redis.pipeline();
  for (let n = 0; n < 1000; n++) pipeline.set(`scan:${n}`, n).incr("counter");
  const replies = await pipeline.exec();
  assert.strictEqual(replies.length, 2000);
  assert.deepStrictEqual(replies.at(-1), [null, 1000]);
  const mixed = await redis.pipeline().get("scan:7").incr("k").get("scan:8").exec();
  assert.strictEqual(mixed[0][1], "7");
  assert.match(mixed[1][0].message, /not an integer/);
  assert.strictEqual(mixed[2][1], "8");
  await Promise.all(Array.from({ length: 500 }, () => redis.incr("parallel")));
  await equal(redis.get("parallel"), "500");
}

async function scans(redis) {
  const found = new Set();
  for await (const keys of redis.scanStream({ match: "scan:*", count: 50 })) keys.forEach((key) => found.add(key));
  assert.strictEqual(found.size, 1000);
  await equal(redis.exists("scan:1", "missing"), 1);
  await equal(redis.del("scan:1", "scan:2", "missing"), 2);
  await equal(redis.rename("scan:3", "renamed"), "OK");
  await equal(redis.expire("renamed", 100), 1);
  await equal(redis.persist("renamed"), 1);
  await equal(redis.type("renamed"), "string");
  await equal(redis.object("ENCODING", "renamed"), "int");
}

async function connections(redis) {
  await equal(redis.client("SETNAME", "tester"), "OK");
  await equal(redis.client("GETNAME"), "tester");
  assert.match(await redis.client("INFO"), /name=tester/);
  assert.match(await redis.info("server"), /redis_version:/);
  const third = connect({ db: 3, connectionName: "third" });
  await equal(third.set("k", "three"), "OK");
  await equal(third.dbsize(), 1);
  await equal(third.client("GETNAME"), "third");
  const id = await third.client("ID");
  // ioredis connects again by itself, and selects its database again.
  await equal(redis.client("KILL", "ID", id), 1);
  await equal(third.get("k"), "three");
  await equal(redis.config("SET", "requirepass", "secret"), "OK");
  const stranger = connect({ retryStrategy: null });
  stranger.on("error", (error) => assert.match(error.message, /NOAUTH/));
  await assert.rejects(stranger.get("k"), /NOAUTH|Connection is closed/);
  const friend = connect({ password: "secret" });
  await equal(friend.get("parallel"), "500");
  await equal(redis.config("SET", "requirepass", ""), "OK");
  for (const client of [third, stranger, friend]) client.disconnect();
}

async function transactions(redis) {
  const replies = await redis.multi().set("k", "v").incr("n").rpush("l", "a", "b").lrange("l", 0, -1).exec();
  assert.deepStrictEqual(replies, [[null, "OK"], [null, 1], [null, 2], [null, ["a", "b"]]]);
  const mixed = await redis.multi().set("k", "w").incr("k").get("k").exec();
  assert.match(mixed[1][0].message, /not an integer/);
  assert.deepStrictEqual(mixed[2], [null, "w"]);
  await assert.rejects(redis.multi().set("k").get("k").exec(), /EXECABORT/);
  // Without a pipeline each request goes by itself.
  await equal(redis.multi({ pipeline: false }), "OK");
  await equal(redis.set("k", "x"), "QUEUED");
  await equal(redis.get("k"), "QUEUED");
  await equal(redis.exec(), [[null, "OK"], [null, "x"]]);
  await equal(redis.multi({ pipeline: false }), "OK");
  await equal(redis.set("k", "y"), "QUEUED");
  await equal(redis.discard(), "OK");
  await equal(redis.get("k"), "x");
  // One connection each, as WATCH is the connection's. Whoever fails tries again.
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      const rival = connect();
      for (let done = 0; done < 20; ) {
        await rival.watch("rivals");
        const n = Number(await rival.get("rivals"));
        if (await rival.multi().set("rivals", n + 1).rpush("order", n).exec()) done++;
      }
      rival.disconnect();
    }),
  );
  await equal(redis.get("rivals"), "100");
  await equal(redis.lrange("order", 0, -1), Array.from({ length: 100 }, (_, n) => String(n)));
}

async function main() {
  const redis = connect();
  await strings(redis);
  await pipelines(redis);
  await scans(redis);
  await transactions(redis);
  await connections(redis);
  await equal(redis.flushall(), "OK");
  await equal(redis.quit(), "OK");
  console.log(`ioredis ${require("ioredis/package.json").version}: ${checks} checks`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
