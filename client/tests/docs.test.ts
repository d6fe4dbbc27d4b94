import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blocksOf, ROOT, read, section } from "./support/documents.js";

const PAGES = ["client/README.md", "docs/how-to/track-from-a-page.md", "docs/how-to/track-from-react.md"];

/** Blocks with a mark are files of a project, which are tried as such elsewhere. */
const examplesOf = (page: string) =>
  blocksOf(page)
    .filter(({ language, mark }) => /^tsx?$/.test(language) && !mark)
    .map(({ language, text }, index) => ({ name: `${index}.${language}`, code: text }));

const tsconfig = () => ({
  extends: join(ROOT, "client/tsconfig.json"),
  compilerOptions: {
    module: "ESNext",
    moduleResolution: "Bundler",
    types: [],
    noUnusedLocals: false,
    paths: {
      "attemptlog-client": [join(ROOT, "client/src/index.ts")],
      "attemptlog-client/*": [join(ROOT, "client/src/*.ts")],
      react: [join(ROOT, "node_modules/@types/react")],
      "react/*": [join(ROOT, "node_modules/@types/react/*")],
    },
  },
  include: ["*.ts", "*.tsx"],
});

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "examples-"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
});

afterEach(() => rmSync(folder, { recursive: true }));

function complaintsAbout(examples: { name: string; code: string }[]): string {
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig()));
  for (const { name, code } of examples) writeFileSync(join(folder, name), code);
  try {
    execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "--project", folder]);
    return "";
  } catch (error) {
    return String((error as { stdout: Buffer }).stdout);
  }
}

describe.each(PAGES)("%s", (page) => {
  it("shows code that is right", () => {
    const examples = examplesOf(page);

    expect(examples.length).toBeGreaterThan(0);
    expect(complaintsAbout(examples)).toBe("");
  });

  it("would not get away with code that is wrong", () => {
    const wrong = examplesOf(page).map(({ name, code }) => ({ name, code: code.replaceAll("pos", "position") }));

    expect(complaintsAbout(wrong)).toContain("error TS");
  });
});

describe("client/README.md", () => {
  const names = (table: string) => [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);

  it("lists every option", () => {
    const [, body = ""] = /interface TelemetryOptions \{(.*?)^\}/ms.exec(read("client/src/client.ts")) ?? [];

    expect(names(section("client/README.md", "Options"))).toEqual(
      [...body.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name),
    );
  });

  it("lists every reason for a drop", () => {
    const [, union = ""] = /type DropReason = (.*?);/.exec(read("client/src/events.ts")) ?? [];

    expect(names(section("client/README.md", "What it promises"))).toEqual(
      [...union.matchAll(/"(\w+)"/g)].map(([, name]) => name),
    );
  });
});

describe("the example of a test", () => {
  it("passes", async () => {
    const [example] = examplesOf("docs/how-to/track-from-a-page.md").filter(({ code }) => code.includes("/testing"));
    const source = (name: string) => JSON.stringify(join(ROOT, `client/dist/${name}.js`));
    const code = (example?.code ?? "throw new Error()")
      .replace('"attemptlog-client"', source("index"))
      .replace('"attemptlog-client/testing"', source("testing"));
    const file = join(folder, "example.mjs");
    const alive = ["const alive = setInterval(() => {}, 1000);", "clearInterval(alive);"]; // as a test runner is
    writeFileSync(file, alive.join(code));

    execFileSync(process.execPath, [file]);
  }, 20_000);
});
