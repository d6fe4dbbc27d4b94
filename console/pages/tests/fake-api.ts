import { createApi } from "../src/api/api";
import type { Exam, ExamQuestion, Me, SessionInList } from "../src/api/types";

export const EXAM_ID = "0198c0de-0000-7000-8000-000000000001";
export const ME: Me = {
  user_id: "0198c0de-0000-7000-8000-000000000900",
  role: "examiner",
  exams: [EXAM_ID],
  platform_url: null,
};

type Answers = Record<string, unknown | ((query: URLSearchParams) => unknown)>;

/** A failure in place of an answer. */
export class Failing {
  readonly status: number;
  readonly detail: string;

  constructor(status: number, detail = "") {
    this.status = status;
    this.detail = detail;
  }
}

/** The API with these answers by path; `asked` has what it was asked for, and everything else is not there. */
export function fakeApi(answers: Answers) {
  const asked: string[] = [];
  const send = async (input: RequestInfo | URL): Promise<Response> => {
    const url = new URL(String(input), "http://console.test");
    asked.push(decodeURIComponent(url.pathname) + url.search);
    const given = answers[url.pathname] ?? new Failing(404);
    const answer = given instanceof Function ? given(url.searchParams) : given;
    if (answer instanceof Failing) return Response.json({ detail: answer.detail }, { status: answer.status });
    return Response.json(answer);
  };
  return { api: createApi(send), asked };
}

export function questionOf(position: number, given: Partial<ExamQuestion> = {}): ExamQuestion {
  return {
    question_id: `0198c0de-0000-7000-8000-0000000001${String(position).padStart(2, "0")}`,
    position,
    title: null,
    viewed: 40,
    mean_visits: 1.25,
    times: 38,
    mean_ms: 42_000,
    median_ms: 38_500,
    rapid_below_ms: 4_200,
    rapid: 3,
    rapid_reason: null,
    marked: 39,
    facility: 0.625,
    discrimination: -12.4,
    efficiency: 31,
    marks_reason: null,
    changed: 10,
    wrong_to_right: 5,
    right_to_wrong: 2,
    wrong_to_wrong: 2,
    right_to_right: 1,
    ...given,
  };
}

/** Of a question of which nothing is known. */
export const UNKNOWN: Partial<ExamQuestion> = {
  viewed: 0,
  mean_visits: null,
  times: 0,
  mean_ms: null,
  median_ms: null,
  rapid_below_ms: null,
  rapid: null,
  rapid_reason: "too_few",
  marked: 0,
  facility: null,
  discrimination: null,
  efficiency: null,
  marks_reason: "no_key",
  changed: 0,
  wrong_to_right: 0,
  right_to_wrong: 0,
  wrong_to_wrong: 0,
  right_to_right: 0,
};

export function examOf(given: Partial<Exam> = {}): Exam {
  const questions = given.questions ?? [questionOf(1), questionOf(2)];
  const [first, second] = questions.map(({ question_id }) => question_id);
  const navigation =
    first && second ? [{ from_question_id: first, to_question_id: second, moves: 44, sessions: 37 }] : [];
  return {
    exam_id: EXAM_ID,
    title: "General knowledge",
    freshness: { as_of: "2026-03-02T17:31:04Z", due: 0 },
    groups: [],
    coverage: { sessions: 40, complete: 38, reasons: { gap: 2 } },
    completion: { submitted: 35, expired: 3, open: 0, unknown: 2 },
    questions,
    navigation,
    times: [600_000, 610_000, 900_000],
    effort: { known: 36, below_090: 4 },
    ...given,
  };
}

export function sessionOf(number: number, given: Partial<SessionInList> = {}): SessionInList {
  return {
    session_id: `0198c0de-0000-7000-8000-0000000005${String(number).padStart(2, "0")}`,
    user_id: `0198c0de-0000-7000-8000-0000000006${String(number).padStart(2, "0")}`,
    began_at: "2026-03-02T08:05:00Z",
    completion: "submitted",
    time_ms: 600_000,
    time_reason: null,
    marks: 1,
    marks_reason: null,
    answered: 2,
    answers_reason: null,
    absences: 0,
    absences_reason: null,
    effort: 1,
    effort_reason: null,
    is_complete: true,
    log_reason: null,
    ...given,
  };
}
