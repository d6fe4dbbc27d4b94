import type { FreshEvent, QueuedEvent } from "./event.js";

/** What is kept of a session between page loads. */
export interface State {
  /** When something was last added, in ms since 1970. */
  at: number;
  /** The next event's seq. */
  next: number;
  /** Not acknowledged yet, by seq. */
  queue: QueuedEvent[];
}

/** An exam makes some hundred events; writing a thousand takes a few milliseconds. */
export const MAX_QUEUED_EVENTS = 1000;

/** Browsers give an origin about 5 million characters, which the page needs too. */
export const MAX_QUEUED_CHARACTERS = 1_000_000;

/** Reads what `JSON.stringify` made of a state; what is damaged counts as nothing. */
export function parseState(text?: string | null): State {
  try {
    const state: State = JSON.parse(text as string);
    if (state.next > 0 && state.queue.every(({ seq }) => seq > 0)) return state;
  } catch {
    // falls through
  }
  return { at: 0, next: 1, queue: [] };
}

/** Numbers the events and adds them. */
export function append(state: State, fresh: FreshEvent[], now: number): void {
  if (fresh.length) state.at = now;
  for (const event of fresh) state.queue.push({ ...event, seq: state.next++ });
}

/**
 * Drops the oldest events over the bounds and says how many: a missing seq in the middle shows on the server, missing
 * ones at the end would not.
 */
export function trim({ queue }: State): number {
  const before = queue.length;
  let characters = JSON.stringify(queue).length;
  while (queue.length > MAX_QUEUED_EVENTS || characters > MAX_QUEUED_CHARACTERS)
    characters -= JSON.stringify(queue.shift()).length + 1;
  return before - queue.length;
}

/** Returns both queues as one, by seq. They have no event in common. */
export const merge = (one: State, other: State): State => ({
  at: one.at,
  next: Math.max(one.next, other.next),
  queue: [...one.queue, ...other.queue].sort((a, b) => a.seq - b.seq),
});
