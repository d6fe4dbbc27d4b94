import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { blocksOf, ROOT, section } from "./support/documents.js";
import { type } from "./support/shell.js";

const PROJECTS = join(ROOT, "client/tests/projects");
const REACT = ["react", "react-dom", "@types/react", "@types/react-dom"];
const IN_THE_CLIENT = "/v1/telemetry/events";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "project-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Makes a project: our package as the README installs it, and `others`, for which nothing is fetched, by links. */
function start(name: string, ...others: string[]): void {
  const [command = ""] = /^npm install .*$/m.exec(section("client/README.md", "Install")) ?? [];
  cpSync(join(PROJECTS, name), folder, { recursive: true });
  cpSync(join(PROJECTS, "track.ts"), join(folder, "track.ts"));
  type(folder, `${command.replace(/\S+\.tgz$/, inject("tarball"))} --offline`);
  for (const other of others) link(other);
}

function link(name: string): void {
  const path = join(folder, "node_modules", name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(ROOT, "node_modules", name), path);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

const checkTypes = (options = "") => type(folder, `node node_modules/typescript/bin/tsc ${options}`);
const build = () => type(folder, "node node_modules/vite/bin/vite.js build");

const textOf = (path: string) =>
  readdirSync(join(folder, path), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".js"))
    .map((file) => readFileSync(join(folder, path, file), "utf8"))
    .join("\n");

describe("the package, packed and installed", { timeout: 60_000 }, () => {
  it("fits a Vite project", () => {
    start("vite", ...REACT, "typescript", "vite");

    checkTypes();
    expect(build()).not.toMatch(/warn/i);
    expect(textOf("dist")).toContain(IN_THE_CLIENT);
  });

  it("fits a React project with server components, as the page on React shows one", () => {
    start("server-components", ...REACT, "typescript", "vite", "@vitejs/plugin-rsc");
    for (const { mark, text } of blocksOf("docs/how-to/track-from-react.md")) {
      if (mark.startsWith("app/")) write(mark, text);
    }

    checkTypes();
    expect(build()).not.toMatch(/warn/i);
    expect(type(folder, "node serve.js")).toMatch(/<h1>Question (<!-- -->)?1<\/h1>/);
    expect(textOf("dist/client")).toContain(IN_THE_CLIENT);
    expect(textOf("dist/rsc")).not.toContain(IN_THE_CLIENT);
  });

  it("says in a server component that the hook is the client's", () => {
    start("server-components", ...REACT, "typescript", "vite", "@vitejs/plugin-rsc");
    write(
      "app/page.tsx",
      'import { useTelemetry } from "attemptlog-client/react"; export default () => useTelemetry("");',
    );

    build();
    expect(() => type(folder, "node serve.js")).toThrow(/client reference export 'useTelemetry' is called on server/);
  });

  it.each([
    ["module", "node16"],
    ["commonjs", "nodenext"],
  ])("fits a program of type %s, module %s, that knows no DOM", (packageType, module) => {
    start("program", "react", "typescript");
    write("package.json", JSON.stringify({ type: packageType }));

    checkTypes(`--module ${module}`);
    expect(type(folder, "node built/main.js")).toBe("function function 1 2 3\n");
  });

  it("would not get away without types", () => {
    start("vite", ...REACT, "typescript", "vite");
    for (const file of ["index.d.ts", "react.d.ts"]) rmSync(join(folder, "node_modules/attemptlog-client/dist", file));

    expect(() => checkTypes()).toThrow(/TS7016.*attemptlog-client/);
  });
});
