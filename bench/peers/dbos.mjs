// DBOS Transact: workflows of five steps that do nothing, sixteen at once.
import { DBOS } from "@dbos-inc/dbos-sdk";
import { finish, read, timed } from "./report.mjs";

const { what, connectionString, count } = read(["five-steps"]);
const steps = 5;
const atOnce = 16;
DBOS.setConfig({ name: "millrace-bench", systemDatabaseUrl: connectionString, logLevel: "error", runAdminServer: false });
const workflow = DBOS.registerWorkflow(async () => {
  for (let i = 0; i < steps; i++)
    await DBOS.runStep(async () => i, { name: `step${i}` });
  return steps;
}, { name: what });
await DBOS.launch();

let left = 0;
const next = async () => {
  while (left-- > 0)
    await workflow();
};
const many = async (total) => {
  left = total;
  await Promise.all(Array.from({ length: atOnce }, next));
};
await many(Math.min(200, count));
const seconds = await timed(() => many(count));
await finish(count, seconds);
