import type { TelemetryClient } from "attemptlog-client";
import { stopwatch } from "attemptlog-client/stopwatch";

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
  dwelt: () => number | undefined; // milliseconds; undefined when nobody can say
  isOver: boolean;
}

export function createJourney(track: Track): Journey {
  let visit: Visit | undefined;

  function move(from: Visit, to: number): void {
    const dwell = from.dwelt();
    const payload = { from_pos: from.pos, to_pos: to, ...(dwell === undefined ? {} : { dwell_ms: dwell }) };
    track(kindOfMove(from.pos, to), payload, from.id);
  }

  return {
    show(question) {
      const isShown = visit?.id === question.id && !visit.isOver;
      if (isShown) return;
      if (visit && visit.id !== question.id) move(visit, question.pos);
      track("QUESTION_VIEWED", { pos: question.pos }, question.id);
      visit = { id: question.id, pos: question.pos, dwelt: stopwatch(), isOver: false };
    },
    leave() {
      if (!visit || visit.isOver) return;
      const dwelt = visit.dwelt();
      visit = { ...visit, dwelt: () => dwelt, isOver: true };
    },
  };
}

/** Named by where it leads, not by the button: the grid can lead to the next question as well. */
export function kindOfMove(from: number, to: number): "NAVIGATE_NEXT" | "NAVIGATE_PREV" | "NAVIGATE_JUMP" {
  if (to === from + 1) return "NAVIGATE_NEXT";
  return to === from - 1 ? "NAVIGATE_PREV" : "NAVIGATE_JUMP";
}
