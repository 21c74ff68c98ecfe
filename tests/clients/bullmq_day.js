// A day of BullMQ on the server on the port given: so many jobs, through a queue and its workers, while the server is killed
// so many times (whoever runs this kills it at each line "kill the server", and starts it again).
//
// BullMQ's contract is "at least once": a job whose worker could not renew its lock, or never learnt that it has got the job, is
// stalled, and runs again; so does one whose completion was cut off, if it may be attempted again. So no job may be lost, each
// must be completed once, and whatever ran twice must have stalled or failed.

const assert = require("node:assert");
const { setTimeout: sleep } = require("node:timers/promises");
const Redis = require("ioredis");
const { Queue, Worker } = require("bullmq");
const { version } = require("bullmq/package.json");

const [port, jobs, kills] = process.argv.slice(2).map(Number);
const NAME = "day";
const WORKERS = 4;
const AT_ONCE = 5;
const BATCH = 50;
const PATIENCE = 60_000;
const connection = { port, host: "127.0.0.1", maxRetriesPerRequest: null, retryStrategy: () => 50 };
// What the library reports while the server is away, and then, of jobs that are not the worker's any more.
const AWAY = /ECONNREFUSED|ECONNRESET|EPIPE|Connection is closed|connection close/;
const STALLED = /Missing lock|Lock mismatch|not in the active state|could not renew lock/i;

const runs = new Map();
const acknowledged = new Map();
const unexpected = [];
let killed = 0;

function noteError(error) {
  if (!AWAY.test(error.message) && !STALLED.test(error.message)) unexpected.push(error);
}

function count(map, key) {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function worker() {
  const worker = new Worker(
    NAME,
    async (job) => {
      count(runs, job.id);
      await sleep(1);
      return job.data.n * 2;
    },
    { connection, concurrency: AT_ONCE, lockDuration: 2000, stalledInterval: 500, maxStalledCount: 100 },
  );
  worker.on("error", noteError);
  worker.on("completed", (job) => count(acknowledged, job.id));
  worker.on("failed", (job, error) => noteError(error));
  return worker;
}

/** Adds all jobs; one with the id of another is none, so that what may have been added is added again. */
async function produce(queue) {
  for (let from = 0; from < jobs; from += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, jobs - from) }, (_, i) => from + i);
    const batch = numbers.map((n) => ({ name: "double", data: { n }, opts: { jobId: `job-${n}`, attempts: 10 } }));
    while (!(await queue.addBulk(batch).then(() => true, noteError))) await sleep(50);
    // The jobs come while others are worked off.
    while (from - acknowledged.size > 10 * BATCH) await sleep(5);
  }
}

async function killWhenDue() {
  if (killed < kills && acknowledged.size > (jobs * (killed + 1)) / (kills + 1)) {
    killed += 1;
    console.log("kill the server");
  }
}

async function main() {
  const queue = new Queue(NAME, { connection, streams: { events: { maxLen: 100 * jobs } } });
  queue.on("error", noteError);
  const workers = Array.from({ length: WORKERS }, worker);
  const produced = produce(queue);
  const open = ["waiting", "active", "delayed", "prioritized", "paused"];
  let last = { done: 0, at: Date.now() };
  while (killed < kills || (await queue.getCompletedCount()) < jobs) {
    await killWhenDue();
    const done = acknowledged.size;
    if (done > last.done) last = { done, at: Date.now() };
    assert(Date.now() - last.at < PATIENCE, `nothing happens any more: ${JSON.stringify(await queue.getJobCounts())}`);
    await sleep(20);
  }
  await produced;
  await Promise.all(workers.map((worker) => worker.close()));
  const counts = await queue.getJobCounts(...open, "failed", "completed");
  assert.deepStrictEqual(counts, { waiting: 0, active: 0, delayed: 0, prioritized: 0, paused: 0, failed: 0, completed: jobs });

  // The queue's own record of what was acknowledged: one event for each job.
  const client = new Redis(connection);
  const events = new Map();
  for (const [, fields] of await client.xrange(`bull:${NAME}:events`, "-", "+")) {
    if (fields[1] === "completed") count(events, fields[fields.indexOf("jobId") + 1]);
  }
  let again = 0;
  let unexplained = 0;
  for (const job of await queue.getJobs(["completed"])) {
    assert.strictEqual(job.returnvalue, job.data.n * 2);
    const more = runs.get(job.id) - 1;
    again += more;
    if (more > job.stalledCounter + job.attemptsMade - 1) unexplained += 1;
  }
  const twice = [...events.values(), ...acknowledged.values()].filter((times) => times > 1).length;
  const lost = Array.from({ length: jobs }, (_, n) => `job-${n}`).filter((id) => events.get(id) !== 1).length;
  assert.deepStrictEqual(unexpected, []);
  console.log(
    `BullMQ ${version}: ${jobs} jobs, ${killed} kills: ${lost} lost, ${twice + unexplained} twice without reason ` +
      `(${again} ran again, as they had stalled)`,
  );
  client.disconnect();
  await queue.close();
  process.exit(0);
}

main().catch((error) => {
  console.error(error, unexpected);
  process.exit(1);
});
