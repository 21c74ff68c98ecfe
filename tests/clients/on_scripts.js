// Libraries whose work is done by scripts, against the server on the port given: BullMQ's queues, redlock's locks, and
// rate-limiter-flexible. BullMQ's workers take their jobs without blocking.

const assert = require("node:assert");
const Redis = require("ioredis");
const { Queue, Worker } = require("bullmq");
const { default: Redlock } = require("redlock");
const { RateLimiterRedis } = require("rate-limiter-flexible");

const port = Number(process.argv[2]);
const connect = () => new Redis({ port, host: "127.0.0.1", maxRetriesPerRequest: null, commandTimeout: 20000 });
const LONG = 60_000;
let checks = 0;

function equal(actual, expected) {
  assert.deepStrictEqual(actual, expected);
  checks += 1;
}

async function queues() {
  const connection = connect();
  const queue = new Queue("paint", { connection });
  await queue.add("cars", { color: "blue" }, { jobId: "first" });
  await queue.add("cars", { color: "again" }, { jobId: "first" });
  await queue.addBulk(Array.from({ length: 50 }, (_, n) => ({ name: "bikes", data: { n } })));
  await queue.add("late", {}, { delay: 10 * LONG });
  await queue.add("urgent", {}, { priority: 1 });
  const counts = () => queue.getJobCounts("waiting", "active", "completed", "failed", "delayed", "prioritized");
  equal(await counts(), { waiting: 51, active: 0, completed: 0, failed: 0, delayed: 1, prioritized: 1 });
  const worker = new Worker("paint", null, { connection, lockDuration: LONG, skipStalledCheck: true });
  const first = await worker.getNextJob("token", { block: false });
  equal([first.id, first.data], ["first", { color: "blue" }]);
  equal((await counts()).active, 1);
  await first.updateProgress(50);
  await first.log("half");
  equal((await queue.getJobLogs("first")).logs, ["half"]);
  await first.moveToCompleted("painted", "token", false);
  equal((await queue.getJob("first")).returnvalue, "painted");
  await assert.rejects(first.moveToCompleted("twice", "token", false), /Missing lock|not in the active state/);
  const second = await worker.getNextJob("token", { block: false });
  await second.moveToFailed(new Error("no paint"), "token", false);
  equal((await queue.getJob(second.id)).failedReason, "no paint");
  await (await queue.getJob(second.id)).retry();
  let done = 0;
  for (let job; (job = await worker.getNextJob("token", { block: false })); done++) {
    await job.moveToCompleted(done, "token", false);
  }
  equal(done, 51);
  equal(await counts(), { waiting: 0, active: 0, completed: 52, failed: 0, delayed: 1, prioritized: 0 });
  await queue.pause();
  equal(await queue.isPaused(), true);
  await queue.resume();
  equal((await queue.clean(0, 1000, "completed")).length, 52);
  await queue.obliterate({ force: true });
  equal(await connection.keys("bull:paint:*"), []);
  await worker.close();
  await queue.close();
  connection.disconnect();
}

async function locks() {
  const client = connect();
  const redlock = new Redlock([client], { retryCount: 0 });
  let lock = await redlock.acquire(["table", "chair"], LONG);
  await assert.rejects(redlock.acquire(["chair"], LONG), /quorum/);
  lock = await lock.extend(2 * LONG);
  assert((await client.pttl("table")) > LONG);
  await lock.release();
  equal(await client.exists("table", "chair"), 0);
  let inside = 0;
  const patient = new Redlock([client], { retryCount: 1000, retryDelay: 5, retryJitter: 5 });
  const work = () =>
    patient.using(["shared"], LONG, async () => {
      equal(++inside, 1);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inside--;
    });
  await Promise.all(Array.from({ length: 10 }, work));
  client.disconnect();
}

async function limits() {
  const client = connect();
  const limiter = new RateLimiterRedis({ storeClient: client, keyPrefix: "rate", points: 5, duration: 60 });
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => limiter.consume("somebody")));
  equal(results.filter((result) => result.status === "fulfilled").length, 5);
  equal(results[19].reason.remainingPoints, 0);
  assert((await client.pttl("rate:somebody")) > 50_000);
  await limiter.reward("somebody", 20);
  equal((await limiter.get("somebody")).consumedPoints, 0);
  equal(await limiter.delete("somebody"), true);
  equal(await limiter.get("somebody"), null);
  client.disconnect();
}

async function main() {
  await queues();
  await locks();
  await limits();
  console.log(`BullMQ, redlock, rate-limiter-flexible: ${checks} checks`);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
