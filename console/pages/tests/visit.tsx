import { act, type ReactNode, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { expect, vi } from "vitest";
import type { Api } from "../src/api/api";
import { ApiContext } from "../src/api/api-context";
import { App } from "../src/shell/app";

const PATIENCE_MS = 30_000; // only what is broken takes as long, however busy the machine is

let root: Root | undefined;

/** Shows something in a page that is empty otherwise; in place of what was shown before. */
export async function show(what: ReactNode): Promise<void> {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  root ??= createRoot(document.body.appendChild(document.createElement("div")));
  await act(async () => root?.render(<StrictMode>{what}</StrictMode>));
}

export async function leave(): Promise<void> {
  await act(async () => root?.unmount());
  root = undefined;
  document.body.replaceChildren();
  window.location.hash = "";
  vi.unstubAllGlobals();
}

export async function sees(text: string | RegExp): Promise<void> {
  await eventually(() => expect(document.body.textContent).toMatch(text));
}

export async function eventually<T>(check: () => T): Promise<T> {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
  }
}

/** Opens an address of the console with this API behind it. */
export async function visit(hash: string, api: Api): Promise<void> {
  await go(hash);
  await show(
    <ApiContext value={api}>
      <App />
    </ApiContext>,
  );
}

export async function go(hash: string): Promise<void> {
  await act(async () => {
    window.location.hash = hash;
  });
}

/** The one element with this selector and text. */
export function one<E extends HTMLElement>(selector: string, text: string | RegExp = ""): E {
  const found = [...document.querySelectorAll<E>(selector)].filter((each) => isNamed(each, text));
  if (found.length !== 1) throw new Error(`${found.length} of ${selector} are ${text}`);
  return found[0] as E;
}

function isNamed(element: HTMLElement, text: string | RegExp): boolean {
  const name = (element.textContent ?? "").replaceAll(/\s+/g, " ").trim();
  return typeof text === "string" ? !text || name === text : text.test(name);
}

export async function press(selector: string, text: string | RegExp = ""): Promise<void> {
  const element = await eventually(() => one(selector, text));
  await act(async () => element.click());
}
