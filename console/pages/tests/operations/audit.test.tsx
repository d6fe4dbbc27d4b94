import { afterEach, beforeEach, it } from "vitest";
import { leave, sees } from "../visit";
import { AUDIT, createFakeConsole, type FakeConsole } from "./fake-console";
import { open, press } from "./operations";

let console: FakeConsole;

beforeEach(() => {
  console = createFakeConsole();
});
afterEach(leave);

it("says that nobody has audited, and shows the audit that is run", async () => {
  await open(console, "#/operations/audit");
  await sees("Nobody has audited since the console started.");
  await press("Audit now");
  await sees("All records are accounted for");
  await sees("stored as events1");
});

it("lists what does not agree", async () => {
  console.audit = { ...AUDIT, agrees: false, problems: ["partition 3: 4 records are not stored yet"] };
  await open(console, "#/operations/audit", "auditor");
  await sees("Something does not agree");
  await sees("partition 3: 4 records are not stored yet");
});

it("says why an audit did not come to an end, and keeps the last one", async () => {
  console.audit = AUDIT;
  await open(console, "#/operations/audit");
  await sees("All records are accounted for");
  console.failure = { status: 503, detail: "Kafka cannot be reached." };
  await press("Audit now");
  await sees("Kafka cannot be reached.");
  await sees("All records are accounted for");
});
