// Printed by `attemptlog schema typescript` from the contract in schemas/. Change it there.

/** What to send with each type of event: positions and indexes, never the text of a question or of an answer. */
export interface Payloads {
  /** The attempt begins; how many questions there are. */
  SESSION_CREATED: { items: number };
  /** The candidate hands in; how many questions are answered. */
  SESSION_SUBMITTED: { answered: number };
  /** The time is up before that; how many questions are answered. */
  SESSION_EXPIRED: { answered: number };
  /** The overview before handing in; how many questions are marked. */
  REVIEW_OPENED: { marked: number };
  /** A question is on the screen; its position from 1. */
  QUESTION_VIEWED: { pos: number };
  /** To another question; positions from 1, and how long the one left was on the screen. */
  NAVIGATE_NEXT: { from_pos: number; to_pos: number; dwell_ms?: number };
  /** To another question; positions from 1, and how long the one left was on the screen. */
  NAVIGATE_PREV: { from_pos: number; to_pos: number; dwell_ms?: number };
  /** To another question; positions from 1, and how long the one left was on the screen. */
  NAVIGATE_JUMP: { from_pos: number; to_pos: number; dwell_ms?: number };
  /** The first answer to a question; its position from 1, the choice from 0. */
  ANSWER_SELECTED: { pos: number; choice: number };
  /** Another answer to it; the choice before, from 0. */
  ANSWER_CHANGED: { pos: number; choice: number; prev_choice: number };
  /** A mark is set or taken away; the question's position from 1. */
  MARK_FOR_REVIEW_TOGGLED: { pos: number; marked: boolean };
  /** The candidate is away, or back; how long that was, left out where nobody can say. */
  PAUSE_BLUR: { state: "blur" | "focus"; away_ms?: number };
}

export type EventType = keyof Payloads;

export type Source = "web" | "mobile" | "api";

/**
 * Why events will not be stored: `invalid` (no such event, or no JSON object), `too_large`, `queue_full` (the oldest
 * were dropped), `rejected` (by the gateway), `expired` (left by another session, long ago), `closed` (tracked after
 * close). The gateway is told beside the batches.
 */
export type DropReason = "invalid" | "too_large" | "queue_full" | "rejected" | "expired" | "closed";

/** The gateway refuses a batch of more. */
export const MAX_EVENTS_PER_BATCH = 50;

/** Of one payload, as compact UTF-8 JSON. */
export const MAX_PAYLOAD_BYTES = 4096;

export const MAX_SEQ = 2147483647;
