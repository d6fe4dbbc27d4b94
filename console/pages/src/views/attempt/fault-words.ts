/** What is missing, was refused or given up, and what the lines show of the page and its clock; with what that means. */

import type { TimelineLine } from "../../api/types";
import { duration } from "../../words";
import { capital, plural, type Telling, type Words } from "./event-words";
import type { Note } from "./notes";

const REFUSED: Record<string, string> = {
  undecodable: "it could not be read as an event",
  unknown_session: "there was no such session",
  session_not_owned: "it named a session of somebody else's",
  question_not_in_session: "it named a question that is not in the exam",
  unknown_question: "it named a question that nobody knows",
  seq_conflict: "another event with the same number, and other content, is stored",
  rejected_by_database: "the database refused it",
};

const THINGS: Record<string, string> = {
  SESSION_CREATED: "The beginning",
  SESSION_SUBMITTED: "The handing in",
  SESSION_EXPIRED: "The end of the time",
  REVIEW_OPENED: "An overview",
  QUESTION_VIEWED: "A view",
  NAVIGATE_NEXT: "A move",
  NAVIGATE_PREV: "A move",
  NAVIGATE_JUMP: "A jump",
  ANSWER_SELECTED: "An answer",
  ANSWER_CHANGED: "A changed answer",
  MARK_FOR_REVIEW_TOGGLED: "A mark",
  PAUSE_BLUR: "A loss or return of the focus",
};

const REPLAYED: Record<string, string> = {
  inserted: "It was stored later and stands in its place in the timeline.",
  duplicate: "When it was tried again, it was stored already.",
  suppressed: "When it was tried again, it named somebody who was purged.",
};

const GIVEN_UP: Record<string, string> = {
  invalid: "they were no valid events",
  too_large: "they were too large",
  queue_full: "more were waiting than the page keeps",
  rejected: "the server refused them",
  expired: "they were left over from another session, long ago",
  closed: "they came after the page had closed its log",
};

export function lineWords(
  line: TimelineLine,
  telling: Telling,
  ofEvent: (line: TimelineLine, telling: Telling) => Words,
): Words {
  if (line.kind === "gap") return gapWords(line);
  if (line.kind === "dead letter") return deadLetterWords(line, telling);
  return line.kind === "drop" ? dropWords(line) : ofEvent(line, telling);
}

function gapWords({ seq, last_seq }: TimelineLine): Words {
  const [first, last] = [seq ?? 0, last_seq ?? seq ?? 0];
  const what = first === last ? `Number ${first} is missing.` : `Numbers ${first} to ${last} are missing.`;
  return {
    what,
    meaning:
      `The page numbered ${plural(last - first + 1, "event")} here that ${first === last ? "is" : "are"} not stored: ` +
      "what happened, and when exactly, nobody can say, nor why it is missing.",
  };
}

function deadLetterWords({ event_type, question_id, reason, outcome }: TimelineLine, { names }: Telling): Words {
  const thing = event_type === null ? "A record" : (THINGS[event_type] ?? event_type);
  const of = question_id ? ` for ${names.name(question_id)}` : "";
  const because = REFUSED[reason ?? ""] ?? reason ?? "the reason is not known";
  return {
    what: `${thing}${of} was refused: ${because}.`,
    meaning: `${outcomeText(outcome)} Who or what sent it, and whether it happened, a dead letter does not say.`,
  };
}

function outcomeText(outcome: string | null): string {
  const kept = "It is kept as a dead letter, as it came.";
  if (outcome === null) return kept;
  return `${kept} ${REPLAYED[outcome] ?? `Tried again, it was refused again: ${REFUSED[outcome] ?? outcome}.`}`;
}

function dropWords({ count, reason }: TimelineLine): Words {
  const because = GIVEN_UP[reason ?? ""] ?? reason ?? "it does not say why";
  return {
    what: `The page gave up ${count === null ? "some events" : plural(count, "event")}: ${because}.`,
    meaning: "It told so itself, but not when, nor what they were: this stands after the last event of its load.",
  };
}

export function noteWords(note: Note): Words {
  switch (note.kind) {
    case "load":
      return loadWords(note.load, note.isBeside);
    case "clock":
      return clockWords(note.backByMs);
    case "late":
      return lateWords(note.events, note.mostMs);
  }
}

function loadWords(load: number, isBeside: boolean): Words {
  const meaning = isBeside
    ? "Another tab, window or device: which, the events do not say. Both are in one timeline."
    : "A reload, or another tab, window or device: which, the events do not say.";
  const what = `The exam's page was loaded once more (load ${load})`;
  return { what: `${what}${isBeside ? ", while an earlier load went on" : ""}.`, meaning };
}

function clockWords(backByMs: number | null): Words {
  return {
    what: `The page's clock was set${backByMs === null ? "" : ` back, by ${duration(backByMs)} or more`}.`,
    meaning:
      "By whom, the events do not say: devices set their clocks by themselves, too. " +
      "The order of the events holds; how much time passed between these two is not known.",
  };
}

function lateWords(events: number, mostMs: number): Words {
  return {
    what: `${capital(plural(events, "event"))} from here on came late: up to ${duration(mostMs)} after ${events === 1 ? "it" : "they"} happened.`,
    meaning:
      "The page had no connection, the server was away, or the machine slept: which, the events do not say. " +
      "They stand where they happened, and not where they came.",
  };
}
