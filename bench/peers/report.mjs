// What every script here shares: its arguments, and its one line of JSON.

/** The arguments of a script: what to do, where, and how often. */
export function read(names) {
  const [what, connectionString, count] = process.argv.slice(2);
  if (!names.includes(what) || !connectionString || !(Number(count) > 0)) {
    console.error(`usage: node ${process.argv[1]} ${names.join("|")} CONNECTION_STRING COUNT`);
    process.exit(2);
  }
  return { what, connectionString, count: Number(count) };
}

/** Times an action, in seconds. */
export async function timed(action) {
  const begun = process.hrtime.bigint();
  await action();
  return Number(process.hrtime.bigint() - begun) / 1e9;
}

/** Ends the script with its result: how many, in how many seconds. */
export function finish(count, seconds) {
  return new Promise(() => process.stdout.write(JSON.stringify({ count, seconds }) + "\n", () => process.exit(0)));
}
