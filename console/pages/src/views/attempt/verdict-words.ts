/** How whole a log is, in a line, and what follows from that; the reasons are those of docs/indicators.md. */

import type { Verdict } from "../../api/types";
import { plural } from "./event-words";

const WHOLE = "So the figures below are of the whole attempt.";
const NO_END = "It may still go on. So figures that want an end are not known yet, and say so.";
const UNNUMBERED = "So figures that depend on what may be missing are not known, and say why. ";
const NOT_WHOLE =
  "What is not stored may have been any event. So figures that depend on it are not known, and say why; " +
  "what is stored is below, in the order in which it happened. ";

/** "This log is not complete: 3 numbers are missing, 1 event is a dead letter." */
export function headline(verdict: Verdict, reason: string | null): string {
  if (verdict.is_complete) return "This log is complete.";
  const { lost, dead_letters, dropped } = verdict;
  const lacks = [
    lost > 0 && `${plural(lost, "number")} ${lost === 1 ? "is" : "are"} missing`,
    dead_letters > 0 &&
      `${plural(dead_letters, "event")} ${dead_letters === 1 ? "is a dead letter" : "are dead letters"}`,
    dropped > 0 && `${plural(dropped, "event")} ${dropped === 1 ? "was" : "were"} given up by the page`,
    reason === "unnumbered" && "the page gives no numbers, so nobody can see what is missing",
    reason === "no_end" && "it has no end so far",
  ].filter(Boolean);
  return `This log is not complete${lacks.length > 0 ? `: ${lacks.join(", ")}` : ""}.`;
}

/** `isOwn`: the candidate reads it. */
export function followsFrom(verdict: Verdict, reason: string | null, isOwn: boolean): string {
  if (verdict.is_complete) return WHOLE;
  if (reason === "no_end") return NO_END;
  const about = `It says nothing about ${isOwn ? "you" : "the candidate"}: logs lack events for technical reasons, too.`;
  return (reason === "unnumbered" ? UNNUMBERED : NOT_WHOLE) + about;
}
