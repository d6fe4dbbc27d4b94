/** Attempts as the API tells them, small enough to read and with everything that can stand in a timeline. */

import type { Absence, Attempt, AttemptQuestion, AttemptSummary, TimelineLine } from "../src/api/types";

export const SESSION = "0198c0de-0000-7000-8000-000000000001";
export const CANDIDATE = "0198c0de-0000-7000-8000-0000000000c1";
export const EXAM = "0198c0de-0000-7000-8000-0000000000e1";
export const FIRST_LOAD = "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e01";
export const SECOND_LOAD = "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e02";
export const BEGAN = Date.parse("2026-03-02T09:00:00Z");

/** So many seconds after the beginning, as the API writes it. */
export function at(seconds: number): string {
  return new Date(BEGAN + 1000 * seconds).toISOString();
}

export function questionId(position: number): string {
  return `0198c0de-0000-7000-8000-0000000001${String(position).padStart(2, "0")}`;
}

const NOTHING: TimelineLine = {
  kind: "event",
  at: null,
  late_by_ms: null,
  origin: "page",
  event_type: null,
  question_id: null,
  stream_id: FIRST_LOAD,
  run: 1,
  seq: null,
  last_seq: null,
  event_ts: null,
  client_ts: null,
  reason: null,
  outcome: null,
  count: null,
  detail: null,
};

/** An event of the page, so many seconds after the beginning; it comes 4 s later. */
export function page(
  seconds: number,
  seq: number,
  event_type: string,
  detail: Record<string, unknown> = {},
  more: Partial<TimelineLine> = {},
): TimelineLine {
  const pos = detail.pos ?? detail.from_pos;
  return {
    ...NOTHING,
    at: at(seconds),
    late_by_ms: 340,
    event_type,
    question_id: typeof pos === "number" ? questionId(pos) : null,
    seq,
    event_ts: at(seconds + 4),
    client_ts: at(seconds - 2),
    detail,
    ...more,
  };
}

export function service(seconds: number, event_type: string, detail: Record<string, unknown> = {}): TimelineLine {
  return {
    ...page(seconds, 0, event_type, detail),
    late_by_ms: 0,
    origin: "service",
    stream_id: null,
    run: null,
    seq: null,
    event_ts: at(seconds),
    client_ts: null,
  };
}

export function gap(seq: number, last_seq: number, stream_id = FIRST_LOAD): TimelineLine {
  return { ...NOTHING, kind: "gap", seq, last_seq, stream_id, run: null };
}

export function deadLetter(reason: string, outcome: string | null, more: Partial<TimelineLine> = {}): TimelineLine {
  return { ...NOTHING, kind: "dead letter", reason, outcome, event_ts: at(130), run: null, ...more };
}

export function drop(count: number, reason: string): TimelineLine {
  return { ...NOTHING, kind: "drop", count, reason, run: null };
}

export function absence(left: number | null, back: number | null, more: Partial<Absence> = {}): Absence {
  const isOver = left !== null && back !== null;
  return {
    stream_id: FIRST_LOAD,
    left_at: left === null ? null : at(left),
    back_at: back === null ? null : at(back),
    state: left === null ? "begun_elsewhere" : isOver ? "over" : "open",
    in_another_tab: false,
    away_ms: isOver ? 1000 * (back - left) : null,
    reason: isOver ? null : left === null ? "not_measured" : "not_back",
    ...more,
  };
}

export function question(position: number, more: Partial<AttemptQuestion> = {}): AttemptQuestion {
  return {
    question_id: questionId(position),
    position,
    title: null,
    visits: 1,
    visits_reason: null,
    dwell_ms: 42_500,
    dwell_reason: null,
    present_ms: 42_500,
    present_reason: null,
    first_choice: 1,
    last_choice: 1,
    changes: 0,
    change_kind: null,
    answers_reason: null,
    mark: 1,
    mark_reason: null,
    ...more,
  };
}

const SUMMARY: AttemptSummary = {
  completion: "submitted",
  is_complete: true,
  log_reason: null,
  events: 12,
  lost: 0,
  dead_letters: 0,
  dropped: 0,
  began_at: at(0),
  ended_at: at(180),
  last_at: at(180),
  time_ms: 178_000,
  time_reason: null,
  first_action_ms: 12_400,
  first_action_reason: null,
  actions: 6,
  actions_reason: null,
  visits: 3,
  revisits: 1,
  visits_reason: null,
  absences: 1,
  absences_known_ms: 12_000,
  absences_of_unknown_length: 0,
  absences_reason: null,
  answered: 2,
  changes: 1,
  answers_reason: null,
  marks: 1,
  marks_reason: null,
};

export function attempt(lines: TimelineLine[], more: Partial<Attempt> = {}): Attempt {
  return {
    session_id: SESSION,
    user_id: CANDIDATE,
    exam_id: EXAM,
    exam_title: "Introduction to statistics",
    read_at: at(3600),
    summary: SUMMARY,
    questions: [
      question(1, { title: "Which of these is a median?", visits: 2 }),
      question(2, { first_choice: 0, last_choice: 2, changes: 1, change_kind: "WR" }),
    ],
    absences: [],
    lines,
    more_lines: 0,
    verdict: {
      is_complete: true,
      stored: lines.length,
      lost: 0,
      dead_letters: 0,
      dropped: 0,
      sentences: [
        "14 events of this session are stored, each exactly once.",
        "No number is missing from what its pages numbered.",
        "The log is complete.",
      ],
    },
    ...more,
  };
}

/** One in which nothing is missing. */
export function wholeAttempt(): Attempt {
  const lines = [
    service(0, "SESSION_CREATED", { items: 2 }),
    page(2, 1, "QUESTION_VIEWED", { pos: 1 }),
    service(14.4, "ANSWER_SELECTED", { pos: 1, choice: 1 }),
    page(30, 2, "PAUSE_BLUR", { state: "blur" }),
    page(42, 3, "PAUSE_BLUR", { state: "focus", away_ms: 12_000 }),
    page(50, 4, "NAVIGATE_NEXT", { from_pos: 1, to_pos: 2, dwell_ms: 48_000 }),
    page(50.1, 5, "QUESTION_VIEWED", { pos: 2 }),
    service(70, "ANSWER_SELECTED", { pos: 2, choice: 0 }),
    service(90.5, "ANSWER_CHANGED", { pos: 2, choice: 2, prev_choice: 0 }),
    page(100, 6, "MARK_FOR_REVIEW_TOGGLED", { pos: 2, marked: true }),
    page(110, 7, "NAVIGATE_PREV", { from_pos: 2, to_pos: 1, dwell_ms: 59_900 }),
    page(110.1, 8, "QUESTION_VIEWED", { pos: 1 }),
    page(170, 9, "REVIEW_OPENED", { marked: 1 }),
    service(180, "SESSION_SUBMITTED", { answered: 2 }),
  ];
  return attempt(lines, { absences: [absence(30, 42)] });
}

/** One with everything that can be wrong with a log. */
export function tornAttempt(): Attempt {
  const second = { stream_id: SECOND_LOAD };
  const lines = [
    service(0, "SESSION_CREATED", { items: 2 }),
    page(2, 1, "QUESTION_VIEWED", { pos: 1 }),
    page(14, 2, "ANSWER_SELECTED", { pos: 1, choice: 1 }),
    gap(3, 5),
    page(60, 6, "NAVIGATE_NEXT", { from_pos: 1, to_pos: 2 }, { event_ts: at(360) }),
    page(60.1, 7, "QUESTION_VIEWED", { pos: 2 }, { event_ts: at(360) }),
    page(80, 8, "PAUSE_BLUR", { state: "blur" }, { run: 2, client_ts: at(-240), late_by_ms: null }),
    page(100, 1, "QUESTION_VIEWED", { pos: 2 }, second),
    page(104, 2, "PAUSE_BLUR", { state: "focus" }, second),
    deadLetter("question_not_in_session", null, {
      event_type: "ANSWER_SELECTED",
      question_id: questionId(9),
      ...second,
    }),
    page(140, 9, "PAUSE_BLUR", { state: "blur" }, { run: 2, client_ts: at(-180) }),
    drop(4, "queue_full"),
    page(150, 3, "MARK_FOR_REVIEW_TOGGLED", { pos: 2, marked: "perhaps" }, second),
  ];
  const unknown = { visits: null, visits_reason: "gap", dwell_ms: null, dwell_reason: "gap", present_ms: null };
  const unanswered = {
    first_choice: null,
    last_choice: null,
    changes: null,
    answers_reason: "dead_letter",
    mark: null,
    mark_reason: "dead_letter",
  };
  return attempt(lines, {
    absences: [absence(null, 104, { stream_id: SECOND_LOAD }), absence(80, null)],
    questions: [1, 2].map((each) => question(each, { ...unknown, ...unanswered, present_reason: "gap" })),
    summary: {
      ...SUMMARY,
      completion: "unknown",
      is_complete: false,
      log_reason: "gap",
      lost: 3,
      dead_letters: 1,
      dropped: 4,
      ended_at: null,
      last_at: at(150),
      time_ms: null,
      time_reason: "gap",
      actions: null,
      actions_reason: "gap",
      visits: null,
      revisits: null,
      visits_reason: "gap",
      absences: null,
      absences_known_ms: null,
      absences_of_unknown_length: null,
      absences_reason: "gap",
      answered: null,
      changes: null,
      answers_reason: "dead_letter",
      marks: null,
      marks_reason: "dead_letter",
    },
    verdict: {
      is_complete: false,
      stored: 11,
      lost: 3,
      dead_letters: 1,
      dropped: 4,
      sentences: [
        "11 events of this session are stored, each exactly once.",
        "3 numbers are missing: the page gave them to events that are not stored; nobody can say which.",
        "The log is not complete: figures that depend on it are left out.",
      ],
    },
  });
}

/** One with so many questions, and about 28 lines for each. */
export function longAttempt(questions: number): Attempt {
  const lines = [service(0, "SESSION_CREATED", { items: questions })];
  const absences: Absence[] = [];
  let seq = 0;
  let now = 1;
  const add = (type: string, detail: Record<string, unknown>) => lines.push(page(now, ++seq, type, detail));
  for (let pos = 1; pos <= questions; pos += 1) {
    add("QUESTION_VIEWED", { pos });
    for (let round = 0; round < 8; round += 1) {
      now += 3.7;
      lines.push(
        service(now, round ? "ANSWER_CHANGED" : "ANSWER_SELECTED", { pos, choice: round % 4, prev_choice: 3 }),
      );
      now += 4.2;
      add("MARK_FOR_REVIEW_TOGGLED", { pos, marked: round % 2 === 0 });
    }
    for (let round = 0; round < 5; round += 1) {
      absences.push(absence(now + 1, now + 6.4));
      now += 1;
      add("PAUSE_BLUR", { state: "blur" });
      now += 5.4;
      add("PAUSE_BLUR", { state: "focus", away_ms: 5400 });
    }
    now += 2;
    add("NAVIGATE_NEXT", { from_pos: pos, to_pos: pos + 1, dwell_ms: 102_000 });
  }
  lines.push(service(now + 5, "SESSION_SUBMITTED", { answered: questions }));
  return attempt(lines, {
    absences,
    questions: Array.from({ length: questions }, (_, index) =>
      question(index + 1, { title: `Question text ${index + 1}` }),
    ),
    summary: { ...SUMMARY, ended_at: at(now + 5), time_ms: 1000 * now, events: lines.length },
  });
}
