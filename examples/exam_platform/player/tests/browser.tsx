import { act, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { expect, vi } from "vitest";
import { createApi } from "../src/api";
import { ApiContext } from "../src/api-context";
import { sessionHref } from "../src/route";
import { App } from "../src/views/app";
import { createFakePlatform, type FakePlatform } from "./fake-platform";

const PATIENCE_MS = 30_000; // only what is broken takes as long, however busy the machine is

let root: Root | undefined;
export let platform: FakePlatform = createFakePlatform();

/** A browser that was never here, before a platform that nobody used. */
export function setUp(): void {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  platform = createFakePlatform();
  vi.stubGlobal("fetch", (...request: Parameters<typeof fetch>) => platform.fetch(...request));
  localStorage.clear();
  sessionStorage.clear();
  window.location.hash = "";
}

export async function tearDown(): Promise<void> {
  await leave();
  vi.restoreAllMocks();
}

export async function visit(hash = "#/"): Promise<void> {
  window.location.hash = hash;
  root = createRoot(document.body.appendChild(document.createElement("div")));
  await act(async () =>
    root?.render(
      <StrictMode>
        <ApiContext value={createApi()}>
          <App />
        </ApiContext>
      </StrictMode>,
    ),
  );
}

/** Opens the exam's page and waits for the question with this position. */
export async function sit(pos = 1): Promise<void> {
  await visit(sessionHref(platform.sessionId));
  await sees(`Question ${pos} of`);
}

export async function leave(): Promise<void> {
  await act(async () => root?.unmount());
  root = undefined;
  document.body.replaceChildren();
}

export async function sees(text: string): Promise<void> {
  await eventually(() => expect(document.body.textContent).toContain(text));
}

export async function eventually(check: () => void): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
  }
}

export async function press(name: string | RegExp): Promise<void> {
  await click("button, a", name);
}

export async function choose(name: string): Promise<void> {
  await click("input", name);
}

async function click(selector: string, name: string | RegExp): Promise<void> {
  await eventually(() => control(selector, name));
  await act(async () => control(selector, name).click());
}

export async function type(key: string, init: KeyboardEventInit = {}, on: EventTarget = document.body): Promise<void> {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  await act(async () => void on.dispatchEvent(event));
}

/** The one control with this accessible name. */
export function control(selector: string, name: string | RegExp): HTMLElement {
  const all = [...document.querySelectorAll<HTMLElement>(selector)];
  const found = all.filter((each) => (typeof name === "string" ? nameOf(each) === name : name.test(nameOf(each))));
  if (found.length !== 1) throw new Error(`${found.length} of ${all.map(nameOf).join(" | ")} are named ${name}`);
  return found[0] as HTMLElement;
}

function nameOf(element: HTMLElement): string {
  const label = element.closest("label")?.textContent;
  return (element.getAttribute("aria-label") ?? label ?? element.textContent ?? "").trim();
}

export function trackedTypes(): string[] {
  return platform.events.map((event) => event.event_type);
}
