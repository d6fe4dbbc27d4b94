import { act } from "react";
import { afterEach, beforeEach, expect, it } from "vitest";
import { eventually, leave, sees } from "../visit";
import { createFakeConsole, type FakeConsole, LETTER } from "./fake-console";
import { control, enter, open, press, text } from "./operations";

let console: FakeConsole;

beforeEach(() => {
  console = createFakeConsole();
});
afterEach(leave);

const replays = () => console.calls.filter((call) => call.includes("/replays"));

it("lists letters, and filters by the address", async () => {
  console.letters = [LETTER, { ...LETTER, id: 16, reason: "seq_conflict", outcome: "duplicate" }];
  await open(console, "#/operations/dead-letters");
  await sees("2 dead letters");
  await sees("Settled (stored already)");
  await enter("Reason", "seq_conflict");
  await sees("1 dead letter");
  expect(window.location.hash).toBe("#/operations/dead-letters?reason=seq_conflict");
  await enter("State", "settled");
  await eventually(() => expect(console.calls.at(-1)).toMatch(/\?reason=seq_conflict&state=settled$/));
});

it("marks where what came differs from the contract", async () => {
  await open(console, "#/operations/dead-letters?letter=17");
  await sees("3 fields differ.");
  expect(text(".comparison li")).toEqual([
    "id came stringcontract string",
    "seq differscame stringcontract integer or null",
    "user_id differscame nothingcontract string",
    "colour differscame stringcontract no such field",
  ]);
  await sees("seq: Input should be a valid integer");
});

it("says that what came has no fields", async () => {
  console.letters = [{ ...LETTER, shape: null, faults: [], event_type: null }];
  await open(console, "#/operations/dead-letters?letter=17");
  await sees("What came cannot be read as a JSON object");
});

it("replays only after a dry run and a confirmation", async () => {
  await open(console, "#/operations/dead-letters?letter=17");
  await sees("A dry run says");
  expect(() => control("button", /^Replay/)).toThrow();
  await press("Dry run of 1 dead letter");
  await sees("Dry run: nothing was changed.");
  await sees("1 would be stored");
  await press("Replay 1 dead letter …");
  expect(replays()).toEqual(['POST /api/operations/replays {"ids":[17],"apply":false}']);
  await press("Replay");
  await sees("Replayed.");
  await sees("StateSettled");
  expect(replays()[1]).toBe('POST /api/operations/replays {"ids":[17],"apply":true}');
  expect(document.querySelector("dialog")).toBeNull();
});

it.each(["the button", "Escape"])("changes nothing when it is cancelled by %s", async (way) => {
  await open(console, "#/operations/dead-letters?letter=17");
  await press("Dry run of 1 dead letter");
  await press("Replay 1 dead letter …");
  if (way === "Escape")
    await act(async () => void document.querySelector("dialog")?.dispatchEvent(new Event("cancel")));
  else await press("Cancel");
  expect(document.querySelector("dialog")).toBeNull();
  expect(replays()).toHaveLength(1);
});

it("replays those that are chosen, and keeps the outcome in sight", async () => {
  console.letters = [LETTER, { ...LETTER, id: 16 }, { ...LETTER, id: 15, outcome: "inserted" }];
  await open(console, "#/operations/dead-letters");
  await press("Choose dead letter 16");
  await press("Dry run of 1 dead letter");
  await sees("1 would be stored");
  await press("Choose dead letter 17");
  expect(document.body.textContent).not.toContain("1 would be");
  await press("Dry run of 2 dead letters");
  await press("Replay 2 dead letters …");
  await press("Replay");
  await sees("2 stored by a replay");
  expect(text("input[type=checkbox]")).toEqual([]);
});

it("says what to do where the console may not replay", async () => {
  await open(console, "#/operations/dead-letters?letter=17");
  await sees("A dry run says");
  console.failure = { status: 409, detail: "Run `attemptlog dead-letters replay 17`." };
  await press("Dry run of 1 dead letter");
  await sees("Run `attemptlog dead-letters replay 17`.");
});

it("offers an auditor the value, and no replay", async () => {
  console.letters = [{ ...LETTER, value: '{"seq":"1"}' }];
  await open(console, "#/operations/dead-letters?letter=17", "auditor");
  await sees('{"seq":"1"}');
  expect(document.body.textContent).not.toContain("Dry run");
  await press("All dead letters");
  await sees("1 dead letter");
  expect(document.querySelector("input[type=checkbox]")).toBeNull();
});

it("says that there is none, that none fits, and that one is not there", async () => {
  console.letters = [];
  await open(console, "#/operations/dead-letters");
  await sees("There is no dead letter: every record that was read is stored.");
  await enter("State", "open");
  await sees("No dead letter fits.");
  await leave();
  await open(console, "#/operations/dead-letters?letter=1");
  await sees("There is no such page");
});
