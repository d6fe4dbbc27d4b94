/** What the sessions page shows, in words: the figure that led there. */

import type { Exam } from "../../api/types";
import { reasonText } from "../../words";
import type { MeaningOf } from "./meanings";
import { nameOf, shortName } from "./questions";
import { tickText } from "./time-axis";

export interface Which {
  title: string;
  /** The question's own words, where it has some. */
  detail: string | null;
  meaning: MeaningOf;
}

const OF_QUESTION: Record<string, string> = {
  viewed: "viewed",
  times: "with a known time",
  rapid: "very short times",
  marked: "marked",
  changed: "answer changed",
  WR: "answer changed from wrong to right",
  RW: "answer changed from right to wrong",
  WW: "answer changed from wrong to another wrong one",
  RR: "answer changed, right at first and at last",
};
const OF_EXAM: Record<string, string> = {
  effort_known: "Effort is known",
  effort_below_090: "Effort below 0.9",
};

export function whichOf(query: URLSearchParams, exam: Exam | undefined): Which {
  const behind = query.get("behind") ?? "";
  const question = findQuestion(exam, query.get("question"));
  const detail = question?.title ? nameOf(question) : null;
  if (behind === "moved") {
    const other = findQuestion(exam, query.get("to_question"));
    return {
      title: `Moved from ${shortName(question).toLowerCase()} to ${shortName(other).toLowerCase()}`,
      detail: null,
      meaning: "moved",
    };
  }
  const ofQuestion = OF_QUESTION[behind];
  if (ofQuestion)
    return { title: `${capital(shortName(question))}: ${ofQuestion}`, detail, meaning: behind as MeaningOf };
  const ofExam = OF_EXAM[behind];
  if (ofExam) return { title: ofExam, detail: null, meaning: behind as MeaningOf };
  if (behind === "time") return { title: timeTitle(query), detail: null, meaning: "time" };
  return { ...ofLogs(query), detail: null };
}

function ofLogs(query: URLSearchParams): Omit<Which, "detail"> {
  const completion = query.get("completion");
  if (completion) return { title: `Sessions: ${completion}`, meaning: "completion" };
  const reason = query.get("reason");
  if (reason) return { title: `Logs that are not complete: ${reasonText(reason)}`, meaning: "coverage" };
  if (query.get("complete") === "true") return { title: "Sessions with a complete log", meaning: "coverage" };
  if (query.get("complete") === "false") return { title: "Sessions whose log is not complete", meaning: "coverage" };
  return { title: "All sessions", meaning: "sessions" };
}

function timeTitle(query: URLSearchParams): string {
  const [least, below] = [query.get("at_least_ms"), query.get("below_ms")];
  if (least === null || below === null) return "Sessions with a known time";
  return `Time from ${tickText(Number(least))} to ${tickText(Number(below))}`;
}

const findQuestion = (exam: Exam | undefined, id: string | null) =>
  exam?.questions.find(({ question_id }) => question_id === id);
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
