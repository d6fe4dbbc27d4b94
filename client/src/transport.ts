import { isTransient, parseRetryAfter } from "./retry.js";

export interface SendRequest {
  endpoint: string;
  /** JSON; see POST /v1/telemetry/events. */
  body: string;
  /** For `Authorization: Bearer`; without one the cookie goes along. */
  token: string | undefined;
  /** The page may be gone before the answer comes. */
  keepalive: boolean;
  /** Nobody waits for the answer any more. */
  signal: AbortSignal;
}

/** What became of a request. */
export type SendResult =
  /** Accepted means durable; `rejected` of the events will never be. */
  | { kind: "accepted"; rejected: number }
  /** No answer, 408, 429 or 5xx: the same request may succeed, at the earliest after `afterMs`. */
  | { kind: "retry"; afterMs?: number | undefined }
  | { kind: "refused"; status: number };

/** Sends one request; resolves whatever happens. */
export type Transport = (request: SendRequest) => Promise<SendResult>;

/** The gateway's answer did not come, whatever the reason. */
export const NO_ANSWER: SendResult = { kind: "retry" };

export const fetchTransport: Transport = async ({ endpoint, body, token, keepalive, signal }) =>
  fetch(endpoint, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    body,
    keepalive,
    signal,
    credentials: token ? "omit" : "include",
    redirect: "error", // a login page answers 200 too
  }).then(resultOf, () => NO_ANSWER);

async function resultOf(response: Response): Promise<SendResult> {
  const { ok, status, headers } = response;
  if (ok) return { kind: "accepted", rejected: await rejectedIn(response) };
  if (!isTransient(status)) return { kind: "refused", status };
  return { kind: "retry", afterMs: parseRetryAfter(headers.get("Retry-After"), Date.now()) };
}

/** The status alone decides; a body that cannot be read says nothing. */
async function rejectedIn(response: Response): Promise<number> {
  const reply = await response.json().catch(() => null);
  return reply?.rejected > 0 ? reply.rejected : 0;
}
