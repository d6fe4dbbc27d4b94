/** What a reader calls a question. */

import type { AttemptQuestion, TimelineLine } from "../../api/types";
import { numberIn } from "./detail";

const SHORT = 8; // characters of an id, where nothing else names the question

export interface QuestionNames {
  /** "question 3". */
  name: (id: string | null) => string;
  title: (id: string | null) => string | null;
  position: (id: string | null) => number | null;
}

/** By the exam's order; where that is not known, by the position that the page gave with its first view. */
export function nameQuestions(questions: readonly AttemptQuestion[], lines: readonly TimelineLine[]): QuestionNames {
  const positions = new Map<string, number>();
  const titles = new Map<string, string>();
  for (const { question_id: id, position, title } of questions) {
    if (position !== null) positions.set(id, position);
    if (title !== null) titles.set(id, title);
  }
  for (const line of lines) {
    const told = line.event_type === "QUESTION_VIEWED" ? numberIn(line, "pos") : null;
    if (line.question_id && told !== null && !positions.has(line.question_id)) positions.set(line.question_id, told);
  }
  const position = (id: string | null) => (id === null ? null : (positions.get(id) ?? null));
  return {
    position,
    title: (id) => (id === null ? null : (titles.get(id) ?? null)),
    name: (id) => (id === null ? "a question" : `question ${position(id) ?? id.slice(0, SHORT)}`),
  };
}

/** Choices are counted from 0 in the events, and from 1 for people. */
export function optionText(choice: number): string {
  return `option ${choice + 1}`;
}
