import { type Query, search } from "../../api/api";
import { hrefs } from "../../route";
import type { Filter } from "./filter";

/** Returns the address of the sessions behind a figure. */
export type Behind = (figure: Query) => string;

export function behindOf(examId: string, filter: Filter): Behind {
  return (figure) => hrefs.sessions(examId, search({ ...filter, ...figure }));
}

/** For a figure of a question. */
export function ofQuestion(behind: Behind, question: { question_id: string }, figure: string): string {
  return behind({ question: question.question_id, behind: figure });
}
