// graphile-worker: adds jobs in bulk, or drains jobs that do nothing: with a local queue and batched completion, as its
// performance guide advises (2,000 was the fastest queue that was found for two cores).
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { finish, read, timed } from "./report.mjs";

const { what, connectionString, count } = read(["enqueue", "drain"]);
const logger = new Logger(() => () => {});
const bulk = 1000;

// Its bulk call, a thousand jobs at a time, two calls under way.
async function enqueue(utils) {
  let left = count;
  const next = async () => {
    while (left > 0) {
      const size = Math.min(bulk, left);
      left -= size;
      await utils.addJobs(Array.from({ length: size }, (_, i) => ({ identifier: "nothing", payload: { i } })));
    }
  };
  await Promise.all([next(), next()]);
}

const utils = await makeWorkerUtils({ connectionString, logger });
await utils.migrate();
const pool = new pg.Pool({ connectionString, max: 2 });
await pool.query("truncate graphile_worker._private_jobs");
const enqueued = await timed(() => enqueue(utils));
if (what === "enqueue")
  await finish(count, enqueued);

let done = 0;
let begun;
let end;
const ended = new Promise((resolve) => { end = resolve; });
const fast = { concurrentJobs: 24, maxPoolSize: 10, localQueue: { size: 2000 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
// The first job begins the measurement: how long a worker takes to start is not in question.
const nothing = async () => {
  begun ??= process.hrtime.bigint();
  if (++done === count)
    end();
};
const runner = await run({
  connectionString,
  logger,
  noHandleSignals: true,
  taskList: { nothing },
  preset: { worker: { connectionString, ...fast } },
  concurrency: fast.concurrentJobs,
});
await ended;
// What is completed in batches counts when it is in the database.
await runner.stop();
const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
const { rows } = await pool.query("select count(*)::int as left from graphile_worker._private_jobs");
if (rows[0].left !== 0)
  throw new Error(`${rows[0].left} jobs are left`);
await finish(count, seconds);
