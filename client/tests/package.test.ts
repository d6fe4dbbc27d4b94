import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { publint } from "publint";
import { rollup } from "rollup";
import { build, type Plugin, type Rolldown } from "vite";
import { describe, expect, inject, it } from "vitest";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const README = readFileSync(`${PACKAGE}README.md`, "utf8");
const MAX_BYTES = 4 * 1024;
const CORE = 'export * from "attemptlog-client";';
const OF_TODAY = { minify: true, format: "esm", target: "es2022" } as const;

const inNode = (code: string) =>
  execFileSync(process.execPath, ["--input-type=module", "--eval", code], {
    cwd: PACKAGE,
    encoding: "utf8",
    timeout: 30_000, // a timer that keeps the process alive runs into it
  });

const packedFiles = () =>
  execFileSync("tar", ["--list", "--gzip", "--file", inject("tarball")], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((path) => path.replace(/^package\//, ""));

/** Has the bundler look for itself instead of trusting package.json. */
const distrusting: Plugin = {
  name: "distrusting",
  enforce: "pre",
  async resolveId(id, importer) {
    const resolved = await this.resolve(id, importer, { skipSelf: true });
    return resolved && { ...resolved, moduleSideEffects: true };
  },
};

async function withVite(code: string, ...plugins: Plugin[]): Promise<string> {
  const entry = "\0entry";
  const result = await build({
    configFile: false,
    logLevel: "silent",
    root: PACKAGE,
    plugins: [
      { name: "entry", resolveId: (id) => (id === entry ? id : null), load: (id) => (id === entry ? code : null) },
      ...plugins,
    ],
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        preserveEntrySignatures: "strict",
      },
    },
  });
  const [chunk] = (result as Rolldown.RolldownOutput).output;
  return chunk.code;
}

const FROM = { contents: CORE, resolveDir: PACKAGE };

/** Each bundler as it is used, and gzip: the one figure that the README states has to hold for all. */
const bundlers: [string, () => Promise<string>][] = [
  ["Vite", () => withVite(CORE)],
  [
    "esbuild",
    async () => {
      const { outputFiles } = await esbuild.build({ stdin: FROM, ...OF_TODAY, bundle: true, write: false });
      return outputFiles[0]?.text ?? "";
    },
  ],
  [
    "Rollup",
    async () => {
      const bundle = await rollup({ input: `${PACKAGE}dist/index.js` });
      const { output } = await bundle.generate({ format: "es" });
      return (await esbuild.transform(output[0].code, OF_TODAY)).code;
    },
  ],
];

describe("the built package", () => {
  it("can be imported on a server, and works there in memory without keeping the process alive", () => {
    const printed = inNode(`
      import { createTelemetryClient } from "attemptlog-client";
      import { useTelemetry } from "attemptlog-client/react";
      import { memoryTransport } from "attemptlog-client/testing";
      const transport = memoryTransport();
      const client = createTelemetryClient("01890a5d-ac96-774b-bcce-b302099a8057", "mobile", { transport });
      client.track("QUESTION_VIEWED", { pos: 1 });
      client.track("QUESTION_VIEWED", { pos: 2 });
      await client.flush();
      console.log(typeof useTelemetry, transport.accepted[0].source, transport.accepted[0].events.map(({ seq }) => seq));
    `);

    expect(printed.trim()).toBe("function mobile [ 1, 2 ]");
  });

  it("is quiet there when nothing can be sent", () => {
    const printed = inNode(`
      import { createTelemetryClient } from "attemptlog-client";
      const client = createTelemetryClient("01890a5d-ac96-774b-bcce-b302099a8057", "web");
      client.track("REVIEW_OPENED");
      await client.close();
      console.log("closed");
    `);

    expect(printed.trim()).toBe("closed");
  });

  it("forgets between sessions there: each client has a memory of its own", () => {
    const printed = inNode(`
      import { createTelemetryClient } from "attemptlog-client";
      import { memoryTransport } from "attemptlog-client/testing";
      const transport = memoryTransport();
      for (const turn of [1, 2]) {
        const client = createTelemetryClient("01890a5d-ac96-774b-bcce-b302099a8057", "api", { transport });
        client.track("REVIEW_OPENED");
        await client.close();
      }
      console.log(transport.accepted.map(({ events }) => events[0].seq).join());
    `);

    expect(printed.trim()).toBe("1,1");
  });

  it.each(bundlers)("is under 4 KB, minified and gzipped, by %s", async (_, bundle) => {
    const code = await bundle();

    expect(code).toContain("createTelemetryClient");
    expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(MAX_BYTES);
  });

  it("is free of side effects: what is not used is not shipped", async () => {
    expect((await withVite('import "attemptlog-client";', distrusting)).trim()).toBe("");
  });

  it("has a README whose links lead somewhere within the package", () => {
    const files = packedFiles();
    const headings = [...README.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title.toLowerCase().replaceAll(" ", "-"),
    );
    const links = [...README.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
    const isThere = (link: string) => (link[0] === "#" ? headings.includes(link.slice(1)) : files.includes(link));

    expect(files).toContain("README.md");
    expect(links.filter((link) => !/^https:/.test(link) && !isThere(link))).toEqual([]);
  });

  it("holds its modules, their types and the README, and nothing that was left lying about", () => {
    const modules = readdirSync(`${PACKAGE}src`).map((file) => file.replace(/\.ts$/, ""));
    const built = modules.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`]);

    expect(packedFiles().sort()).toEqual(["README.md", "package.json", ...built].sort());
  });

  it("is for client components where it uses React's hooks, and there only", () => {
    const isMarked = (file: string) => readFileSync(`${PACKAGE}dist/${file}`, "utf8").startsWith('"use client";\n');

    expect(readdirSync(`${PACKAGE}dist`).filter(isMarked)).toEqual(["react.js"]);
  });

  it("is put together as publint would have it", async () => {
    const { messages } = await publint({
      pack: { tarball: new Uint8Array(readFileSync(inject("tarball"))).buffer },
      strict: true,
    });

    expect(messages).toEqual([]);
  });

  it("exports nothing that is not in it", async () => {
    const { default: manifest } = await import("../package.json", { with: { type: "json" } });
    const files = Object.values(manifest.exports).flatMap((entry) => Object.values(entry));

    expect(files.filter((file) => !existsSync(`${PACKAGE}${file}`))).toEqual([]);
  });

  it("brings no dependencies along", async () => {
    const { default: manifest } = await import("../package.json", { with: { type: "json" } });

    expect(manifest).not.toHaveProperty("dependencies");
    expect(manifest.sideEffects).toBe(false);
  });
});
