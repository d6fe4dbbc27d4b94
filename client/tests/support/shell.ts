import { spawnSync } from "node:child_process";

/** What npm and Vitest leave in the environment is not in that of somebody who types a command. */
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD$|NODE_ENV$|VITE)/i.test(name)),
);

/** Runs a command as somebody would in `folder`, and returns what it prints; throws that when it fails. */
export function type(folder: string, command: string): string {
  const { status, stdout, stderr } = spawnSync("sh", ["-euc", command], {
    cwd: folder,
    env: ENVIRONMENT,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${command}: ${stdout}${stderr}`);
  return stdout + stderr;
}
