import { type Answer, type AnswerChange, type ApiResult, isTransient, type Question } from "./api";
import type { Slot } from "./remembered";
import { delayMs } from "./retry";
import { readUnsaved, writeUnsaved } from "./unsaved";

/** `waiting`: the last try failed, and there will be another one. */
export type SaveState = "saved" | "saving" | "waiting";

export interface AnswersSnapshot {
  answers: ReadonlyMap<string, Answer>;
  saveState: SaveState;
}

/** The candidate's answers: shown at once, saved one after the other, tried again until the service has them. */
export interface Answers {
  snapshot(): AnswersSnapshot;
  subscribe(listener: () => void): () => void;
  change(questionId: string, change: AnswerChange): void;
  /** Tries now. Whether the service has everything. */
  settle(): Promise<boolean>;
  /** Takes over what the service has, unless something here is newer. */
  adopt(questions: readonly Question[]): void;
  /** Saves what an earlier visit left, and tries again when the browser is back online; returns how to stop. */
  start(): () => void;
}

interface AnswersOptions {
  questions: readonly Question[];
  save: (questionId: string, change: AnswerChange) => Promise<ApiResult<Answer>>;
  unsaved: Slot;
  /** The service refuses for good: the session is over, or not this candidate's any more. */
  onRefused: () => void;
}

const NOTHING: Answer = { choice: null, marked: false };

export function createAnswers({ questions, save, unsaved, onRefused }: AnswersOptions): Answers {
  const stored = new Map<string, Answer>();
  const waiting = readUnsaved(unsaved, questions);
  const listeners = new Set<() => void>();
  let retry: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let isStopped = false;
  let saving: Promise<boolean> | undefined;
  let current: AnswersSnapshot;

  function publish(): void {
    const answers = new Map(stored);
    for (const [id, change] of waiting) answers.set(id, { ...(stored.get(id) ?? NOTHING), ...change });
    current = { answers, saveState: saveState() };
    for (const listener of listeners) listener();
  }

  function saveState(): SaveState {
    if (waiting.size === 0) return "saved";
    return failures > 0 ? "waiting" : "saving";
  }

  function take(from: readonly Question[]): void {
    for (const { id, choice, marked } of from) stored.set(id, { choice, marked });
    publish();
  }

  function settle(): Promise<boolean> {
    clearTimeout(retry);
    if (waiting.size === 0) return Promise.resolve(true);
    saving ??= saveAll();
    return saving;
  }

  async function saveAll(): Promise<boolean> {
    let isGoing = true;
    for (let next = first(waiting); next && isGoing; next = first(waiting)) isGoing = await saveOne(...next);
    saving = undefined;
    return waiting.size === 0;
  }

  async function saveOne(id: string, change: AnswerChange): Promise<boolean> {
    const result = await save(id, change);
    if (result.ok) confirm(id, change, result.value);
    else if (isTransient(result)) tryLater();
    publish();
    if (!result.ok && !isTransient(result)) onRefused();
    return result.ok;
  }

  function confirm(id: string, change: AnswerChange, { choice, marked }: Answer): void {
    failures = 0;
    stored.set(id, { choice, marked });
    if (waiting.get(id) === change) waiting.delete(id); // else it was changed again meanwhile
    writeUnsaved(unsaved, waiting);
  }

  function tryLater(): void {
    if (!isStopped) retry = setTimeout(settle, delayMs(failures));
    failures += 1;
  }

  take(questions);
  return {
    snapshot: () => current,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change(questionId, change) {
      const next = { ...(current.answers.get(questionId) ?? NOTHING), ...change };
      if (isSame(next, current.answers.get(questionId))) return;
      waiting.set(questionId, { ...waiting.get(questionId), ...change });
      writeUnsaved(unsaved, waiting);
      publish();
      void settle();
    },
    settle,
    adopt: take,
    start() {
      isStopped = false;
      window.addEventListener("online", settle);
      void settle();
      return () => {
        isStopped = true;
        window.removeEventListener("online", settle);
        clearTimeout(retry);
      };
    },
  };
}

function first<K, V>(map: ReadonlyMap<K, V>): [K, V] | undefined {
  return map.entries().next().value;
}

function isSame(answer: Answer, other: Answer | undefined): boolean {
  return answer.choice === other?.choice && answer.marked === other.marked;
}

export function withAnswers(questions: readonly Question[], answers: ReadonlyMap<string, Answer>): Question[] {
  return questions.map((question) => ({ ...question, ...answers.get(question.id) }));
}
