import type { ExamQuestion } from "../../api/types";
import type { Draw } from "../../figures/chart";
import { positionTicks } from "./questions";

type Plot = Parameters<Draw>[0];

/** An axis with the questions in the exam's order. */
export function positionAxis(questions: readonly ExamQuestion[], width: number) {
  return {
    type: "band",
    domain: questions.map((question) => question.position), // also of those that have no bar
    padding: 0.2,
    label: "question",
    labelOffset: 36,
    ticks: positionTicks(questions, width),
  } as const;
}

export interface Columns {
  /** The highest value of the other axis. */
  top: number;
  title: (question: ExamQuestion) => string;
  href: (question: ExamQuestion) => string;
}

/** A pointer finds the whole column of a question, however small its bar is. */
export function columns(plot: Plot, questions: readonly ExamQuestion[], { top, title, href }: Columns) {
  return plot.barY(questions, { x: "position", y: () => top, fill: "transparent", inset: -2, title, href });
}
