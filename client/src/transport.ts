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
  /** For `Accept`; its parameters tell the gateway's metrics what was tried since a batch was accepted. */
  accept: string;
}

/** Why an event was refused; `index` is its place in the batch, from 0. */
export interface Reason {
  index: number;
  code: string;
  message?: string;
}

/** What became of a request. */
export type SendResult =
  /**
   * `accepted` of the events are durable, `rejected` of them will never be. Together they are the whole batch, or this
   * was not the gateway's answer to it. A transport that gives no `accepted` answers for that itself.
   */
  | { kind: "accepted"; accepted?: number; rejected: number; reasons?: Reason[] | undefined }
  /**
   * No answer of the gateway, 408, 425, 429 or 5xx: the same request may succeed, at the earliest after `afterMs`;
   * `mayBeTooMuch`: perhaps without `keepalive`, for a browser that refuses to let so much outlive the page does not
   * say so.
   */
  | { kind: "retry"; afterMs?: number | undefined; status?: number; mayBeTooMuch?: boolean | undefined }
  /** Any other 4xx; `code` and `reasons` as the gateway gives them. */
  | { kind: "refused"; status: number; code?: string | undefined; reasons?: Reason[] | undefined };

/** A `SendResult` of any kind, for who asks for a field before the kind. */
export interface AnyResult {
  kind: SendResult["kind"];
  status?: number | undefined;
  code?: string | undefined;
  reasons?: Reason[] | undefined;
  accepted?: number;
  rejected?: number;
  afterMs?: number | undefined;
  mayBeTooMuch?: boolean | undefined;
}

/** Sends one request; resolves whatever happens. */
export type Transport = (request: SendRequest) => Promise<SendResult>;

/** The gateway's answer did not come, whatever the reason. */
export const NO_ANSWER: SendResult = { kind: "retry" };

export const fetchTransport: Transport = async ({ endpoint, body, token, keepalive, signal, accept }) =>
  fetch(endpoint, {
    method: "POST",
    headers: { accept, "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    body,
    keepalive,
    signal,
    credentials: token ? "omit" : "include",
    redirect: "error", // a login page answers 200 too
  }).then(resultOf, () => ({ kind: "retry", mayBeTooMuch: keepalive || undefined }));

async function resultOf(response: Response): Promise<SendResult> {
  const { ok, status, headers } = response;
  // To its end, whatever it is: an answer that nobody reads keeps its request's part of the page's keepalive quota.
  const reply = await response.json().catch(() => {});
  const { accepted, rejected, code, rejected_reasons_sample: reasons } = reply ?? {};
  if (ok && accepted >= 0 && rejected >= 0) return { kind: "accepted", accepted, rejected, reasons };
  if (!ok && !isTransient(status)) return { kind: "refused", status, code, reasons };
  return { kind: "retry", status, afterMs: parseRetryAfter(headers.get("Retry-After"), Date.now()) };
}
