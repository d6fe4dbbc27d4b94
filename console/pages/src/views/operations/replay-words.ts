/** What becomes of a dead letter, in words. */

import type { DeadLetterInList, ReplayReply } from "../../api/types";
import { count } from "../../words";
import { spoken } from "./words";

const SETTLING = ["inserted", "duplicate"];

export function isSettled(letter: Pick<DeadLetterInList, "outcome">): boolean {
  return SETTLING.includes(letter.outcome ?? "");
}

export function stateText(letter: Pick<DeadLetterInList, "outcome">): string {
  return isSettled(letter) ? "Settled" : "Open";
}

/** An outcome in words; what is neither stored nor suppressed is the reason why it stays a letter. */
export function outcomeText(outcome: string): string {
  if (outcome === "inserted") return "stored by a replay";
  if (outcome === "duplicate") return "stored already";
  if (outcome === "suppressed") return "not stored: the person or the session was purged";
  return `stays a dead letter: ${spoken(outcome)}`;
}

function wouldText(outcome: string): string {
  if (outcome === "inserted") return "would be stored";
  if (outcome === "duplicate") return "would be settled: stored already";
  if (outcome === "suppressed") return "would not be stored: the person or the session was purged";
  return `would stay a dead letter: ${spoken(outcome)}`;
}

/** The sum of a replay, most first. */
export function outcomeLines({ applied, by_outcome }: ReplayReply): string[] {
  const say = applied ? outcomeText : wouldText;
  const found = Object.entries(by_outcome).sort(([, some], [, more]) => more - some);
  return found.map(([outcome, letters]) => `${count(letters)} ${say(outcome)}`);
}
