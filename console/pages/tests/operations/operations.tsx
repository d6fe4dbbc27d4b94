import { act } from "react";
import { vi } from "vitest";
import { createApi } from "../../src/api/api";
import { ApiContext } from "../../src/api/api-context";
import type { Role } from "../../src/api/types";
import { useRoute } from "../../src/route";
import OperationsPage from "../../src/views/operations/page";
import { eventually, show } from "../visit";
import type { FakeConsole } from "./fake-console";

/** Opens a page of operations as the address says, and follows its links. */
export async function open(console: FakeConsole, hash: string, role: Role = "operator"): Promise<void> {
  window.location.hash = hash;
  await show(
    <ApiContext value={createApi(console.fetch)}>
      <Routed role={role} />
    </ApiContext>,
  );
}

function Routed({ role }: { role: Role }) {
  const route = useRoute();
  if (route.view !== "operations") return null;
  const me = { user_id: "ops", role, exams: [], platform_url: null };
  return <OperationsPage part={route.part} query={route.query} me={me} />;
}

export async function press(name: string | RegExp): Promise<void> {
  const found = await eventually(() => control("button, a, input[type=checkbox]", name));
  await act(async () => found.click());
}

/** Chooses an option, or types, into the field with this label. */
export async function enter(label: string, value: string): Promise<void> {
  const field = (await eventually(() => control("select, input", new RegExp(`^${label}`)))) as HTMLSelectElement;
  const setter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value")?.set;
  await act(async () => {
    setter?.call(field, value);
    field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
  });
}

export function control(selector: string, name: string | RegExp): HTMLElement {
  const all = [...document.querySelectorAll<HTMLElement>(selector)];
  const found = all.filter((each) => (typeof name === "string" ? nameOf(each) === name : name.test(nameOf(each))));
  if (found.length !== 1) throw new Error(`${found.length} of ${all.map(nameOf).join(" | ")} are named ${name}`);
  return found[0] as HTMLElement;
}

function nameOf(element: HTMLElement): string {
  return (element.closest("label")?.textContent ?? element.textContent ?? "").trim();
}

/** Lets only timers pass as the test says. */
export function stopTimers(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
}

export async function pass(milliseconds: number): Promise<void> {
  await act(() => vi.advanceTimersByTimeAsync(milliseconds));
}

export function text(selector: string): (string | null)[] {
  return [...document.querySelectorAll(selector)].map((each) => each.textContent);
}
