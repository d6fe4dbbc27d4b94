import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createAnswers } from "../src/answers";
import type { Answer, AnswerChange, ApiResult, Question } from "../src/api";
import { memorySlot } from "./memory-slot";

const question = (id: string, pos: number): Question => ({
  id,
  pos,
  text: `Question ${pos}?`,
  choices: ["a", "b", "c"],
  choice: null,
  marked: false,
});
const QUESTIONS = [question("q1", 1), question("q2", 2)];
const nobody: ApiResult<Answer> = { ok: false, status: 0, detail: "" };
const LONG_MS = 60_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Answers and a service that keeps them; `failures` are what it says first. */
function exam({ failures = [] as ApiResult<Answer>[], unsaved = memorySlot() } = {}) {
  const service = new Map<string, Answer>();
  const save = vi.fn(async (id: string, change: AnswerChange): Promise<ApiResult<Answer>> => {
    const failure = failures.shift();
    if (failure) return failure;
    const value = { choice: null, marked: false, ...service.get(id), ...change };
    service.set(id, value);
    return { ok: true, value };
  });
  const onRefused = vi.fn();
  const answers = createAnswers({ questions: QUESTIONS, save, unsaved, onRefused });
  return {
    answers,
    service,
    save,
    onRefused,
    unsaved,
    choice: (id: string) => answers.snapshot().answers.get(id)?.choice,
  };
}

it("shows a choice at once and saves it", async () => {
  const { answers, service, choice } = exam();
  answers.change("q1", { choice: 2 });
  expect(choice("q1")).toBe(2);
  expect(answers.snapshot().saveState).toBe("saving");
  await vi.advanceTimersByTimeAsync(0);
  expect(answers.snapshot().saveState).toBe("saved");
  expect(service.get("q1")).toEqual({ choice: 2, marked: false });
});

it("keeps a choice and tries again until the service has it", async () => {
  const { answers, service, choice } = exam({ failures: [nobody, nobody, nobody] });
  answers.change("q1", { choice: 1 });
  await vi.advanceTimersByTimeAsync(0);
  expect(answers.snapshot().saveState).toBe("waiting");
  expect(choice("q1")).toBe(1);
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(answers.snapshot().saveState).toBe("saved");
  expect(service.get("q1")?.choice).toBe(1);
});

it("tries again at once when the browser is back online", async () => {
  const { answers, service } = exam({ failures: [nobody] });
  const stop = answers.start();
  answers.change("q1", { choice: 1 });
  await vi.advanceTimersByTimeAsync(0);
  window.dispatchEvent(new Event("online"));
  await vi.advanceTimersByTimeAsync(0);
  expect(service.get("q1")?.choice).toBe(1);
  stop();
});

it("saves what was changed while another change was on its way", async () => {
  const { answers, service, save } = exam();
  answers.change("q1", { choice: 0 });
  answers.change("q1", { choice: 2 });
  answers.change("q2", { marked: true });
  expect(await answers.settle()).toBe(true);
  expect(service.get("q1")?.choice).toBe(2);
  expect(service.get("q2")?.marked).toBe(true);
  expect(save).toHaveBeenCalledTimes(3);
});

it("has one change on its way at a time, so that none overtakes another", async () => {
  let inFlight = 0;
  const { answers, save } = exam();
  const saveOne = save.getMockImplementation();
  save.mockImplementation(async (id, change) => {
    expect(++inFlight).toBe(1);
    await Promise.resolve();
    inFlight -= 1;
    return saveOne ? saveOne(id, change) : nobody;
  });
  for (const choice of [0, 1, 2]) answers.change("q1", { choice });
  answers.change("q2", { choice: 1 });
  expect(await answers.settle()).toBe(true);
});

it("does not send what changes nothing", async () => {
  const { answers, save } = exam();
  answers.change("q1", { marked: false });
  answers.change("q1", { choice: 1 });
  await answers.settle();
  answers.change("q1", { choice: 1 });
  await answers.settle();
  expect(save).toHaveBeenCalledTimes(1);
});

it("saves at the next visit what could not be saved in this one", async () => {
  const first = exam({ failures: [nobody] });
  first.answers.change("q2", { choice: 1, marked: true });
  await vi.advanceTimersByTimeAsync(0);
  first.answers.start()();

  const second = exam({ unsaved: first.unsaved });
  expect(second.choice("q2")).toBe(1);
  second.answers.start();
  expect(await second.answers.settle()).toBe(true);
  expect(second.service.get("q2")).toEqual({ choice: 1, marked: true });
  expect(second.unsaved.read()).toBeNull();
});

it.each(["{", "17", '"q1"', '{"q1":{"choice":9}}', '{"q1":{"choice":"1"}}', '{"other":{"choice":1}}', '{"q1":null}'])(
  "starts clean from the damaged memory %s",
  async (text) => {
    const { answers, save } = exam({ unsaved: memorySlot(text) });
    expect(await answers.settle()).toBe(true);
    expect(save).not.toHaveBeenCalled();
  },
);

it.each([401, 404, 409])("asks for the session when the service refuses with %i", async (status) => {
  const { answers, onRefused } = exam({ failures: [{ ok: false, status, detail: "" }] });
  answers.change("q1", { choice: 1 });
  expect(await answers.settle()).toBe(false);
  expect(onRefused).toHaveBeenCalledTimes(1);
});

it("takes over what another tab has answered, but nothing that is older than its own", async () => {
  const { answers, choice } = exam({ failures: [nobody] });
  answers.change("q1", { choice: 2 });
  await vi.advanceTimersByTimeAsync(0);
  answers.adopt(QUESTIONS.map((each) => ({ ...each, choice: 0 })));
  expect(choice("q1")).toBe(2);
  expect(choice("q2")).toBe(0);
});

it("leaves no timer behind when it is stopped", async () => {
  const { answers } = exam({ failures: Array(9).fill(nobody) });
  const stop = answers.start();
  answers.change("q1", { choice: 1 });
  stop();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
});
