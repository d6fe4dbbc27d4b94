import type { Session } from "./api";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const LAST_MINUTES = 5;

/** When the session ends by this machine's clock, which may be wrong: only the difference of the server's two times counts. */
export function deadlineOf(session: Pick<Session, "expires_at" | "server_now">, receivedAt: number): number {
  return receivedAt + Date.parse(session.expires_at) - Date.parse(session.server_now);
}

/** `24:07`, or `1:24:07` from an hour on. Rounded up, so that 0:00 is the end and not the second before it. */
export function formatRemaining(remainingMs: number): string {
  const seconds = Math.max(0, Math.ceil(remainingMs / SECOND_MS));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = String(seconds % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

export type Urgency = "calm" | "soon" | "last";

export function urgencyOf(remainingMs: number): Urgency {
  if (remainingMs <= MINUTE_MS) return "last";
  return remainingMs <= LAST_MINUTES * MINUTE_MS ? "soon" : "calm";
}

/** What a screen reader says; it changes at five minutes and at one, so it speaks only then. */
export const WARNINGS: Record<Urgency, string> = {
  calm: "",
  soon: `Less than ${LAST_MINUTES} minutes left`,
  last: "Less than one minute left",
};

/** How long the text shown now stays right. */
export function msToNextSecond(remainingMs: number): number {
  return remainingMs % SECOND_MS || SECOND_MS;
}
