import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { leave, sees } from "../visit";
import { createFakeConsole, type FakeConsole, LOOKED } from "./fake-console";
import { open, pass, press, stopTimers, text } from "./operations";

let console: FakeConsole;

beforeEach(() => {
  console = createFakeConsole();
});
afterEach(async () => {
  vi.useRealTimers();
  await leave();
});

it("shows what comes, what is stored, and who stores which partition", async () => {
  await open(console, "#/operations");
  await sees("All that has come is stored.");
  await sees("12per second");
  expect(text(".partitions tbody tr")).toEqual(["00consumer-1 at 10.0.0.71,2001,200", "10consumer-1 at 10.0.0.7–900"]);
  await sees("payload too large");
});

it("says how late it is with the consumer stopped", async () => {
  const partitions = [{ partition: 0, end: 1500, next_offset: 200, lag: 1300, consumer: null }];
  console.looked = { ...LOOKED, partitions, stored_late_by_s: 75 };
  await open(console, "#/operations");
  await sees("Late No consumer is running. 1,300 events wait in Kafka, the oldest for 1 min 15 s.");
  await sees("nobody");
});

it("says what cannot be reached, what that means, and of when its figures are", async () => {
  const away = { is_reached: false, detail: "Nothing answers at kafka:9092.", as_of: "2026-03-02T09:58:00Z" };
  console.looked = { ...LOOKED, kafka: away, events_in_per_s: null, gateways: [], rejected: [] };
  await open(console, "#/operations");
  await sees("Kafka is not reached");
  await sees("Nothing answers at kafka:9092.");
  await sees("Figures of it are of 2026-03-02 09:58:00 UTC.");
  await sees("the console was given no gateway");
  await sees("Not known Kafka cannot be reached from here");
  await sees("stored events are late bynot known");
});

it("shows no number for what was never known", async () => {
  console.looked = { ...LOOKED, events_in_per_s: null, stored_late_by_s: null, dead_letters: null, partitions: [] };
  await open(console, "#/operations");
  await sees("Events innot known");
  expect(text(".figures dd").slice(1)).toEqual(["not known", "not known", "not known"]);
  await sees("Kafka has no topic attempt-events.");
});

it("looks every two seconds, keeps what it saw through a failure, and says that it is late", async () => {
  stopTimers();
  await open(console, "#/operations");
  for (const second of [2, 4]) {
    console.looked = { ...LOOKED, at: `2026-03-02T10:00:0${second}Z`, events_stored_per_s: second };
    await pass(2_000);
  }
  expect(text("section[aria-label='Events stored per second, by time'] tbody tr")).toEqual([
    "10:00:044",
    "10:00:022",
    "10:00:0012",
  ]);
  console.failure = { status: 500, detail: "" };
  await pass(2_000);
  expect(document.body.textContent).toContain("the last look failed");
  expect(document.body.textContent).toContain("All that has come is stored.");
});

it("keeps the history while another part is looked at", async () => {
  await open(console, "#/operations");
  await sees("12per second");
  await press("Audit");
  await sees("Audit now");
  console.looked = { ...LOOKED, at: "2026-03-02T10:00:09Z" };
  await press("Overview");
  await sees("In the last 9 s: 12 to 12.");
});

it.each(["candidate", "examiner"] as const)("is not there for a %s, and asks nothing", async (role) => {
  await open(console, "#/operations", role);
  await sees("There is no such page");
  expect(console.calls).toEqual([]);
});

it("says that the console cannot be reached", async () => {
  console.failure = { status: 503, detail: "" };
  await open(console, "#/operations");
  await sees("The console cannot be reached");
  console.failure = undefined;
  await press("Try again");
  await sees("All that has come is stored.");
});
