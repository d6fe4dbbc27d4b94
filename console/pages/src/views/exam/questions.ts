import type { ExamQuestion } from "../../api/types";

/** From so many sessions on, a mean or a correlation is more than chance (docs/indicators.md, Traps). */
export const ENOUGH = 30;

export function nameOf(question: ExamQuestion): string {
  return question.title ?? `Question ${question.position}`;
}

/** "Question 7", or what a page can say of one that the exam does not list. */
export function shortName(question: ExamQuestion | undefined): string {
  return question ? `Question\u00a0${question.position}` : "a question";
}

/** The changes of which nobody can say the kind, because there is no key. */
export function changesOfUnknownKind(question: ExamQuestion): number {
  const known = question.wrong_to_right + question.right_to_wrong + question.wrong_to_wrong + question.right_to_right;
  return Math.max(0, question.changed - known);
}

/** Positions that have room for their number on an axis of this width. */
export function positionTicks(questions: readonly ExamQuestion[], width: number): number[] {
  const step = Math.max(1, Math.ceil((questions.length * 26) / width));
  const every = step > 1 ? 5 * Math.ceil(step / 5) : 1;
  return questions.map((each) => each.position).filter((at) => every === 1 || at === 1 || at % every === 0);
}
