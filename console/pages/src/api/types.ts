/**
 * What the console's API says. Times are ISO 8601 in UTC; `_ms` are milliseconds; a figure that is null has its reason
 * beside it (docs/indicators.md, Reasons). `console/models.py` has the same fields; a test compares the two.
 */

export type Role = "candidate" | "examiner" | "operator" | "auditor";
export type Completion = "submitted" | "expired" | "open" | "unknown";
export type ChangeKind = "WR" | "RW" | "WW" | "RR"; // from the first to the last answer, right or wrong

/** GET /api/me */
export interface Me {
  user_id: string;
  role: Role;
  exams: string[]; // of an examiner
  platform_url: string | null; // where an exam is sat, for the link there
}

/** GET /api/exams: newest activity first. */
export interface ExamInList {
  exam_id: string;
  title: string | null; // where the platform's table of exams has one
  sessions: number;
  last_event_at: string | null; // the last beginning or end of a session that the figures know
}

/** How late the figures of an exam are: all that was stored before `as_of` is in them, but for `due` sessions. */
export interface Freshness {
  as_of: string | null; // null: not known yet, because the figures are being worked out for the first time
  due: number;
}

/** GET /api/exams/{exam_id}?from=&to=&group= : sessions that began in [from, to), of candidates in the group. */
export interface Exam {
  exam_id: string;
  title: string | null;
  freshness: Freshness;
  groups: string[]; // that can be asked for
  coverage: Coverage;
  completion: Record<Completion, number>;
  questions: ExamQuestion[]; // in the exam's order where it is known
  navigation: Move[];
  times: number[]; // time_ms of the sessions in which it is known, for a histogram; at most 5,000
  effort: EffortOfExam;
}

export interface Coverage {
  sessions: number;
  complete: number; // logs
  reasons: Record<string, number>; // why the others are not
}

export interface ExamQuestion {
  question_id: string;
  position: number; // from 1
  title: string | null;
  viewed: number;
  mean_visits: number | null;
  times: number;
  mean_ms: number | null;
  median_ms: number | null;
  rapid_below_ms: number | null;
  rapid: number | null;
  rapid_reason: string | null;
  marked: number;
  facility: number | null; // 0 to 1
  discrimination: number | null; // -100 to 100
  efficiency: number | null;
  marks_reason: string | null;
  changed: number;
  wrong_to_right: number;
  right_to_wrong: number;
  wrong_to_wrong: number;
  right_to_right: number;
}

export interface Move {
  from_question_id: string;
  to_question_id: string;
  moves: number;
  sessions: number;
}

export interface EffortOfExam {
  known: number; // sessions whose response-time effort is known
  below_090: number; // of these, with an effort below 0.9
}

/**
 * GET /api/exams/{exam_id}/sessions?from=&to=&group=&completion=&complete=true|false&reason=&question=&behind=&after= :
 * the sessions behind a figure. `behind` names a figure of `question`: viewed, times, rapid, marked, changed, WR, RW,
 * WW, RR; or of the exam: effort_known, effort_below_090, time (time_ms is known and in [at_least_ms, below_ms), either
 * may be missing). With `question` and `to_question` (behind=moved): who moved between them.
 */
export interface SessionPage {
  total: number;
  sessions: SessionInList[]; // at most 100, by when they began
  next: string | null; // `after` of the next page
}

export interface SessionInList {
  session_id: string;
  user_id: string;
  began_at: string | null;
  completion: Completion;
  time_ms: number | null;
  time_reason: string | null;
  marks: number | null;
  marks_reason: string | null;
  answered: number | null;
  answers_reason: string | null;
  absences: number | null;
  absences_reason: string | null;
  effort: number | null;
  effort_reason: string | null;
  is_complete: boolean;
  log_reason: string | null;
}

/** GET /api/sessions/{session_id}?why= ; the CSV of the same: /api/sessions/{session_id}/timeline.csv?why= */
export interface Attempt {
  session_id: string;
  user_id: string;
  exam_id: string | null;
  exam_title: string | null;
  read_at: string;
  summary: AttemptSummary;
  questions: AttemptQuestion[];
  absences: Absence[];
  lines: TimelineLine[]; // in the order in which they happened; at most 20,000
  more_lines: number; // that are left out
  verdict: Verdict;
}

/** Columns of session_indicators. */
export interface AttemptSummary {
  completion: Completion;
  is_complete: boolean;
  log_reason: string | null;
  events: number;
  lost: number;
  dead_letters: number;
  dropped: number;
  began_at: string | null;
  ended_at: string | null;
  last_at: string | null;
  time_ms: number | null;
  time_reason: string | null;
  first_action_ms: number | null;
  first_action_reason: string | null;
  actions: number | null;
  actions_reason: string | null;
  visits: number | null;
  revisits: number | null;
  visits_reason: string | null;
  absences: number | null;
  absences_known_ms: number | null;
  absences_of_unknown_length: number | null;
  absences_reason: string | null;
  answered: number | null;
  changes: number | null;
  answers_reason: string | null;
  marks: number | null;
  marks_reason: string | null;
}

export interface AttemptQuestion {
  question_id: string;
  position: number | null;
  title: string | null;
  visits: number | null;
  visits_reason: string | null;
  dwell_ms: number | null;
  dwell_reason: string | null;
  present_ms: number | null;
  present_reason: string | null;
  first_choice: number | null;
  last_choice: number | null;
  changes: number | null;
  change_kind: ChangeKind | null; // as mark, null also where that is
  answers_reason: string | null;
  mark: number | null;
  mark_reason: string | null;
}

export interface Absence {
  stream_id: string | null;
  left_at: string | null;
  back_at: string | null;
  state: "open" | "over" | "begun_elsewhere";
  in_another_tab: boolean;
  away_ms: number | null;
  reason: string | null;
}

/** An event, numbers that are missing, a dead letter, or what a page says it dropped. */
export interface TimelineLine {
  kind: "event" | "gap" | "dead letter" | "drop";
  at: string | null;
  late_by_ms: number | null; // it may have happened by so much before `at`; null where nobody can say
  origin: "page" | "service" | null;
  event_type: string | null;
  question_id: string | null;
  stream_id: string | null;
  run: number | null; // which stretch of its stream's clock, from 1: another one begins where the clock was set
  seq: number | null;
  last_seq: number | null; // of a gap
  event_ts: string | null;
  client_ts: string | null;
  reason: string | null; // of a dead letter or a drop
  outcome: string | null; // of a dead letter that was replayed
  count: number | null; // of a drop
  detail: Record<string, unknown> | null; // an event's payload
}

/** What the audit says of the session's log, for an appeal: `sentences` say it in words. */
export interface Verdict {
  is_complete: boolean;
  stored: number;
  lost: number; // numbers that are missing
  dead_letters: number;
  dropped: number;
  sentences: string[];
}

/**
 * GET /api/operations. What cannot be reached keeps the figures of the last look that reached it; one that was never
 * known is null, and a list of such is empty.
 */
export interface Operations {
  at: string;
  topic: string;
  events_in_per_s: number | null; // written to Kafka, over the last ten seconds that were looked at
  events_stored_per_s: number | null;
  last_event_at: string | null; // when the last one was stored
  stored_late_by_s: number | null; // how long the oldest record that is not stored has waited; 0 when all are; null unless both are reached
  partitions: PartitionLag[];
  rejected: Rejected[]; // of all gateways that are listed
  dead_letters: LetterCounts | null;
  gateways: Scraped[];
  kafka: Reached;
  database: Reached;
}

export interface LetterCounts {
  open: number;
  settled: number;
}

export interface Reached {
  is_reached: boolean;
  detail: string | null; // a sentence where it is not
  as_of: string | null; // the last look that reached it
}

export interface PartitionLag {
  partition: number;
  end: number;
  next_offset: number | null; // of the ledger; null: nothing of the partition was stored yet, or it is not known
  lag: number | null;
  consumer: string | null; // client id and host of the member that has it; null: nobody
}

export interface Rejected {
  code: string;
  events: number; // since the gateways started
  per_s: number | null;
}

export interface Scraped extends Reached {
  url: string;
}

/** GET /api/operations/dead-letters?reason=&state=open|settled&after= ; newest first, at most 50. */
export interface DeadLetterPage {
  total: number;
  by_reason: Record<string, number>;
  letters: DeadLetterInList[];
  next: string | null;
}

export interface DeadLetterInList {
  id: number;
  reason: string;
  detail: string | null;
  topic: string;
  partition: number;
  record_offset: number;
  first_seen_at: string;
  event_type: string | null;
  outcome: string | null; // of its replay
  replayed_at: string | null;
}

/** GET /api/operations/dead-letters/{id}; `value` is for an auditor only. */
export interface DeadLetter extends DeadLetterInList {
  shape: Record<string, string> | null; // field: JSON type, of what came; null when that cannot be read as a JSON object
  expected: Record<string, string>; // field: what the contract asks for
  faults: string[]; // the fields in which the two differ
  value: string | null;
}

/** POST /api/operations/replays {ids, apply}: a dry run unless `apply`. */
export interface ReplayReply {
  applied: boolean;
  outcomes: ReplayOutcome[];
  by_outcome: Record<string, number>;
}

export interface ReplayOutcome {
  id: number;
  outcome: string; // inserted, duplicate, suppressed, or the reason why it stays a dead letter
  detail: string | null;
}

/**
 * GET /api/operations/live?after=&event_type=&source=&exam= : what fits of all that was stored after `after`, oldest
 * first, of more than 100 the newest; `cursor` is the next `after`. Without `after`, the newest of what is stored.
 */
export interface LivePage {
  cursor: string;
  events: LiveEvent[];
  skipped: number; // that fit, came after `after`, and are not listed
  is_more_skipped: boolean; // than are counted in `skipped`
  late_by_s: number | null; // how long the oldest event that is stored but cannot be listed yet has waited; null: none
}

/** No person is in it. */
export interface LiveEvent {
  id: string;
  event_type: string;
  source: string | null;
  exam_id: string | null;
  event_ts: string;
  stored_at: string;
}

/** GET /api/operations/audit (the last one, or 404), POST to run one. */
export interface Audit {
  at: string;
  agrees: boolean;
  records: number;
  inserted: number;
  duplicates: number;
  dead_lettered: number;
  suppressed: number;
  pending: number; // records that wait to be stored, which is no fault
  problems: string[];
}

/** GET /api/accesses?after= ; for auditors: who looked at whose data. */
export interface AccessPage {
  accesses: Access[]; // newest first, at most 100
  next: string | null;
}

export interface Access {
  at: string;
  by: string;
  command: string;
  reason: string | null;
  subject_kind: string;
  subject: string | null;
  is_pseudonym: boolean; // the subject was purged: nobody can look it up
}

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
}
