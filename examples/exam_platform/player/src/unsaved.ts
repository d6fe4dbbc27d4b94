import type { AnswerChange, Question } from "./api";
import type { Slot } from "./remembered";

/** Reads the changes that an earlier visit could not save; what is damaged or does not fit a question is left out. */
export function readUnsaved(memory: Slot, questions: readonly Question[]): Map<string, AnswerChange> {
  const stored = parseObject(memory.read());
  const entries = questions.flatMap((question): [string, AnswerChange][] => {
    const change = changeFor(question, stored[question.id]);
    return change ? [[question.id, change]] : [];
  });
  return new Map(entries);
}

export function writeUnsaved(memory: Slot, changes: ReadonlyMap<string, AnswerChange>): void {
  memory.write(changes.size > 0 ? JSON.stringify(Object.fromEntries(changes)) : null);
}

function parseObject(text: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return value instanceof Object ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function changeFor(question: Question, stored: unknown): AnswerChange | undefined {
  if (!(stored instanceof Object)) return undefined;
  const { choice, marked } = stored as Record<string, unknown>;
  const change: AnswerChange = {};
  if (typeof choice === "number" && question.choices[choice] !== undefined) change.choice = choice;
  if (typeof marked === "boolean") change.marked = marked;
  return Object.keys(change).length > 0 ? change : undefined;
}
