import { act, type ReactNode, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { expect, vi } from "vitest";

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
