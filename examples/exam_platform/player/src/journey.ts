import type { TelemetryClient } from "attemptlog-client";

export type Track = TelemetryClient["track"];

/** Reports which question is on the screen, and how the candidate came to it. */
export interface Journey {
  /** A question is on the screen. Saying it twice is saying it once. */
  show(question: { id: string; pos: number }): void;
  /** No question is on the screen: the time on the last one ends. */
  leave(): void;
}

interface Visit {
  id: string;
  pos: number;
  since: number;
  left?: number;
}

/** `now` returns milliseconds of a clock that never runs backwards. */
export function createJourney(track: Track, now: () => number = () => performance.now()): Journey {
  let visit: Visit | undefined;

  function move(from: Visit, to: number): void {
    const dwell = Math.round((from.left ?? now()) - from.since);
    track(kindOfMove(from.pos, to), { from_pos: from.pos, to_pos: to, dwell_ms: dwell }, from.id);
  }

  return {
    show(question) {
      const isShown = visit?.id === question.id && visit.left === undefined;
      if (isShown) return;
      if (visit && visit.id !== question.id) move(visit, question.pos);
      track("QUESTION_VIEWED", { pos: question.pos }, question.id);
      visit = { id: question.id, pos: question.pos, since: now() };
    },
    leave() {
      if (visit) visit.left ??= now();
    },
  };
}

/** Named by where it leads, not by the button: the grid can lead to the next question as well. */
export function kindOfMove(from: number, to: number): "NAVIGATE_NEXT" | "NAVIGATE_PREV" | "NAVIGATE_JUMP" {
  if (to === from + 1) return "NAVIGATE_NEXT";
  return to === from - 1 ? "NAVIGATE_PREV" : "NAVIGATE_JUMP";
}
