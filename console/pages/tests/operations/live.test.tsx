import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { extended, MOST_LISTED, NOTHING } from "../../src/views/operations/live-list";
import { leave, sees } from "../visit";
import { createFakeConsole, EVENT, type FakeConsole, livePage } from "./fake-console";
import { control, enter, open, pass, press, stopTimers, text } from "./operations";

let console: FakeConsole;

beforeEach(() => {
  console = createFakeConsole();
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await leave();
});

function event(number: number, event_type = EVENT.event_type) {
  return { ...EVENT, id: `event ${number}`, event_type };
}

const types = () => text(".event-type");

it("lists what is stored, the newest first, and goes on where it stopped", async () => {
  stopTimers();
  console.pages = {
    "": livePage([event(1), event(2, "NAVIGATE_NEXT")], "70"),
    70: livePage([], "75"),
    75: livePage([event(3, "PAUSE_BLUR")], "80"),
  };
  await open(console, "#/operations/live");
  await pass(2_000);
  expect(types()).toEqual(["PAUSE_BLUR", "NAVIGATE_NEXT", EVENT.event_type]);
  expect(console.calls.slice(-2)).toEqual(["GET /api/operations/live?after=70", "GET /api/operations/live?after=75"]);
});

it("asks nothing while it is paused, and then goes on from there", async () => {
  stopTimers();
  console.pages = { "": livePage([event(1)], "69") };
  await open(console, "#/operations/live");
  await pass(1_000);
  await press("Pause");
  const asked = console.calls.length;
  await pass(60_000);
  expect(console.calls).toHaveLength(asked);
  expect(control("button", "Go on").getAttribute("aria-pressed")).toBe("true");
  console.pages[69] = livePage([event(2, "SESSION_CREATED")], "90", { skipped: 41 });
  await press("Go on");
  await pass(0);
  expect(console.calls[asked]).toBe("GET /api/operations/live?after=69");
  expect(types()).toEqual(["SESSION_CREATED", EVENT.event_type]);
  expect(document.body.textContent).toContain("41 events that fit are not listed");
});

it("does not ask while nobody looks", async () => {
  stopTimers();
  await open(console, "#/operations/live");
  await pass(1_000);
  const asked = console.calls.length;
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  await pass(10_000);
  expect(console.calls).toHaveLength(asked);
});

it("begins anew with another filter, and takes an exam once its id is whole", async () => {
  await open(console, "#/operations/live");
  await sees("No event that fits was stored yet.");
  await enter("Event type", "PAUSE_BLUR");
  expect(console.calls.at(-1)).toBe("GET /api/operations/live?event_type=PAUSE_BLUR");
  await enter("Exam", "0198c0de-0000");
  await sees("Not an exam's id yet");
  expect(console.calls.at(-1)).not.toContain("exam=");
  await enter("Exam", EVENT.exam_id ?? "");
  expect(console.calls.at(-1)).toBe(`GET /api/operations/live?event_type=PAUSE_BLUR&exam=${EVENT.exam_id}`);
});

it("keeps the list through a failure, and says so", async () => {
  stopTimers();
  console.pages = { "": livePage([event(1)], "69") };
  await open(console, "#/operations/live");
  await pass(0);
  console.failure = { status: 503, detail: "" };
  await pass(1_000);
  expect(document.body.textContent).toContain("The last look failed");
  expect(types()).toEqual([EVENT.event_type]);
});

it("says that it cannot be reached before it ever was", async () => {
  console.failure = { status: 503, detail: "" };
  await open(console, "#/operations/live");
  await sees("The console cannot be reached");
});

it("says that a transaction keeps it back", async () => {
  console.pages = { "": livePage([], "70", { late_by_s: 200 }) };
  await open(console, "#/operations/live");
  await sees("has waited for 3 min 20 s");
});

it("lists no more than so many, and counts only what was never listed", () => {
  let list = NOTHING;
  for (let look = 0; look < 5; look++) {
    const events = Array.from({ length: 100 }, (_, each) => event(look * 100 + each));
    list = extended(list, livePage(events, String(look), { skipped: look === 4 ? 7 : 0, is_more_skipped: look === 4 }));
  }
  expect(list.events).toHaveLength(MOST_LISTED);
  expect(list.events[0]?.id).toBe("event 499");
  expect(list).toMatchObject({ skipped: 7, isMoreSkipped: true, cursor: "4" });
});
