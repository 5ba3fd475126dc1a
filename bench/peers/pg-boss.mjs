// pg-boss: inserts jobs in bulk, then fetches and completes them 500 at a time, two loops at once.
import PgBoss from "pg-boss";
import { finish, read, timed } from "./report.mjs";

const { connectionString, count } = read(["drain"]);
const boss = new PgBoss({ connectionString, supervise: false, schedule: false });
boss.on("error", (error) => { throw error; });
await boss.start();
const queue = "nothing";
await boss.createQueue(queue);
await boss.purgeQueue(queue);

for (let left = count; left > 0; left -= 1000)
  await boss.insert(Array.from({ length: Math.min(left, 1000) }, (_, i) => ({ name: queue, data: { i } })));

let done = 0;
const drain = async () => {
  for (;;) {
    const jobs = await boss.fetch(queue, { batchSize: 500 });
    if (jobs.length === 0)
      return;
    await boss.complete(queue, jobs.map((job) => job.id));
    done += jobs.length;
  }
};
const seconds = await timed(() => Promise.all([drain(), drain()]));
if (done !== count)
  throw new Error(`${done} of ${count} jobs were completed`);
await finish(count, seconds);
