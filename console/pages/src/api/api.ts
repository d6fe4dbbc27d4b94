/** The console's HTTP API, as the pages use it. No call throws: a failure is a value. */

import type * as t from "./types";

/** `status` is 0 when there was no answer at all; `detail` is a sentence for the reader, or empty. */
export interface Failure {
  ok: false;
  status: number;
  detail: string;
}

export type ApiResult<T> = { ok: true; value: T } | Failure;
export type Query = Record<string, string | number | boolean | null | undefined>;
export type Api = ReturnType<typeof createApi>;

const CALL_TIMEOUT_MS = 10_000; // nothing takes a second; a database that hangs is told before somebody gives up
const AUDIT_TIMEOUT_MS = 30_000; // the console says after 25 s that it goes on

export function createApi(send: typeof fetch = (...request) => fetch(...request)) {
  async function call<T>(
    method: "GET" | "POST" | "DELETE",
    path: string,
    body?: unknown,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<ApiResult<T>> {
    try {
      const init: RequestInit = { method, signal: AbortSignal.timeout(timeoutMs) };
      if (method !== "GET") {
        Object.assign(init, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });
      }
      return await read<T>(await send(path, init));
    } catch {
      return { ok: false, status: 0, detail: "" };
    }
  }

  const exam = (id: string) => `/api/exams/${encodeURIComponent(id)}`;
  const operations = "/api/operations";
  return {
    enter: (token: string) => call<t.Me>("POST", "/api/session", { token }),
    leave: () => call<object>("DELETE", "/api/session"),
    me: () => call<t.Me>("GET", "/api/me"),
    exams: () => call<t.ExamInList[]>("GET", "/api/exams"),
    exam: (id: string, query: Query = {}) => call<t.Exam>("GET", exam(id) + search(query)),
    sessions: (id: string, query: Query = {}) => call<t.SessionPage>("GET", `${exam(id)}/sessions${search(query)}`),
    attempt: (id: string, why?: string) =>
      call<t.Attempt>("GET", `/api/sessions/${encodeURIComponent(id)}${search({ why })}`),
    operations: () => call<t.Operations>("GET", operations),
    deadLetters: (query: Query = {}) => call<t.DeadLetterPage>("GET", `${operations}/dead-letters${search(query)}`),
    deadLetter: (id: number) => call<t.DeadLetter>("GET", `${operations}/dead-letters/${id}`),
    replay: (ids: number[], apply: boolean) => call<t.ReplayReply>("POST", `${operations}/replays`, { ids, apply }),
    live: (query: Query = {}) => call<t.LivePage>("GET", `${operations}/live${search(query)}`),
    audit: () => call<t.Audit>("GET", `${operations}/audit`),
    runAudit: () => call<t.Audit>("POST", `${operations}/audit`, {}, AUDIT_TIMEOUT_MS),
    accesses: (query: Query = {}) => call<t.AccessPage>("GET", `/api/accesses${search(query)}`),
  };
}

/** Return the query with a question mark, or nothing; what has no value is left out. */
export function search(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
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
