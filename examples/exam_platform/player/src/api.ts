/** The session service's HTTP API, as the page uses it. No call throws: a failure is a value. */

export type SessionState = "open" | "submitted" | "expired";

export interface Person {
  user_id: string;
  name: string;
}

export interface Config {
  telemetry_url: string;
  has_console: boolean;
}

export interface Exam {
  id: string;
  title: string;
  items: number;
  seconds: number;
}

export interface Question {
  id: string;
  pos: number; // from 1
  text: string;
  choices: string[];
  choice: number | null; // from 0
  marked: boolean;
}

export interface Session {
  id: string;
  exam: { id: string; title: string };
  state: SessionState;
  expires_at: string;
  server_now: string;
  questions: Question[];
}

export interface ReviewedQuestion extends Question {
  correct: number | null; // null while the session is open
}

export interface Review {
  state: SessionState;
  answered: number;
  marked: number;
  items: number;
  score: number | null;
  questions: ReviewedQuestion[];
}

export interface StoredEvent {
  id: string;
  seq: number | null;
  event_type: string;
  question_id: string | null;
  event_ts: string;
  client_ts: string | null;
  source: string | null;
  payload: Record<string, unknown>;
  stored_after_ms: number;
}

export interface StoredEvents {
  total: number;
  events: StoredEvent[]; // newest first
}

export interface AnswerChange {
  choice?: number;
  marked?: boolean;
}

export interface Answer {
  choice: number | null;
  marked: boolean;
}

/** `status` is 0 when there was no answer at all; `detail` is a sentence for the reader, or empty. */
export interface Failure {
  ok: false;
  status: number;
  detail: string;
}

export type ApiResult<T> = { ok: true; value: T } | Failure;

export type Api = ReturnType<typeof createApi>;

const CALL_TIMEOUT_MS = 10_000; // every endpoint answers within milliseconds; a call this old is lost

/** Whether the same call may do better later. */
export function isTransient(failure: Failure): boolean {
  return failure.status === 0 || failure.status === 408 || failure.status === 429 || failure.status >= 500;
}

export function createApi(send: typeof fetch = (...request) => fetch(...request)) {
  async function call<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<ApiResult<T>> {
    try {
      const init: RequestInit = { method, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) };
      if (body !== undefined) Object.assign(init, jsonBody(body));
      return await read<T>(await send(path, init));
    } catch {
      return { ok: false, status: 0, detail: "" };
    }
  }

  const session = (id: string) => `/v1/sessions/${encodeURIComponent(id)}`;
  return {
    login: (name: string) => call<Person>("POST", "/v1/login", { name }),
    me: () => call<Person>("GET", "/v1/me"),
    config: () => call<Config>("GET", "/v1/config"),
    exams: () => call<Exam[]>("GET", "/v1/exams"),
    begin: (examId: string) => call<Session>("POST", "/v1/sessions", { exam_id: examId }),
    session: (id: string) => call<Session>("GET", session(id)),
    answer: (id: string, questionId: string, change: AnswerChange) =>
      call<Answer>("POST", `${session(id)}/answer`, { question_id: questionId, ...change }),
    submit: (id: string) => call<{ state: SessionState; answered: number }>("POST", `${session(id)}/submit`),
    review: (id: string, opening?: string) =>
      call<Review>("GET", `${session(id)}/review${opening ? `?opening=${opening}` : ""}`),
    events: (id: string) => call<StoredEvents>("GET", `${session(id)}/events`),
  };
}

function jsonBody(body: unknown): RequestInit {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

async function read<T>(response: Response): Promise<ApiResult<T>> {
  const json: unknown = await response.json().catch(() => undefined);
  if (response.ok && json !== undefined) return { ok: true, value: json as T };
  return { ok: false, status: response.ok ? 0 : response.status, detail: detailOf(json) };
}

function detailOf(problem: unknown): string {
  const detail = problem instanceof Object && "detail" in problem ? problem.detail : undefined;
  return typeof detail === "string" ? detail : "";
}
