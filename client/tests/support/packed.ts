import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { ROOT, section } from "./documents.js";
import { type } from "./shell.js";

declare module "vitest" {
  interface ProvidedContext {
    /** The file that the README's `npm pack` leaves. */
    tarball: string;
  }
}

/** Builds and packs the package, once for all tests, by the README's command; `dist` is up to date afterwards. */
export default function pack(project: TestProject): () => void {
  const [command] = /^npm pack .*$/m.exec(section("client/README.md", "Install")) ?? ["false"];
  const folder = mkdtempSync(join(tmpdir(), "packed-"));
  type(ROOT, `${command} --pack-destination "${folder}"`);
  const [file = "nothing"] = readdirSync(folder);
  project.provide("tarball", join(folder, file));
  return () => rmSync(folder, { recursive: true });
}
