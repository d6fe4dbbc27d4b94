/** What an event says, in a sentence, and nothing that it does not say. */

import type { Absence, TimelineLine } from "../../api/types";
import { count, duration, reasonText } from "../../words";
import { flagIn, numberIn, textIn } from "./detail";
import { optionText, type QuestionNames } from "./questions";

export interface Words {
  what: string;
  /** What it means, and what it does not; where a reader might take it for more. */
  meaning: string | null;
}

/** What is known when a line is put into words. */
export interface Telling {
  names: QuestionNames;
  absences: readonly Absence[];
  isOwn: boolean; // the candidate reads it
}

type Tell = (line: TimelineLine, telling: Telling) => string | null;

/** Null where the payload does not say what the type promises. */
const EVENTS: Record<string, Tell> = {
  SESSION_CREATED: (line) => `The attempt began${counted(numberIn(line, "items"), "question", "with ")}.`,
  SESSION_SUBMITTED: (line) => `Handed in${counted(numberIn(line, "answered"), "answer", "with ")}.`,
  SESSION_EXPIRED: (line) => `The time was up${counted(numberIn(line, "answered"), "answer", "with ")}.`,
  REVIEW_OPENED: (line) => {
    const marked = numberIn(line, "marked");
    return `The overview was opened${marked === null ? "" : `, with ${marked} marked`}.`;
  },
  QUESTION_VIEWED: (line, { names }) => `${capital(names.name(line.question_id))} came on the screen.`,
  NAVIGATE_NEXT: (line, telling) => moved(line, telling, "On"),
  NAVIGATE_PREV: (line, telling) => moved(line, telling, "Back"),
  NAVIGATE_JUMP: (line, telling) => moved(line, telling, "Jump"),
  ANSWER_SELECTED: (line, { names }) => {
    const choice = numberIn(line, "choice");
    return choice === null ? null : `Answered ${names.name(line.question_id)}: ${optionText(choice)}.`;
  },
  ANSWER_CHANGED: (line, { names }) => {
    const [choice, before] = [numberIn(line, "choice"), numberIn(line, "prev_choice")];
    if (choice === null || before === null) return null;
    return `Changed the answer to ${names.name(line.question_id)}: from ${optionText(before)} to ${optionText(choice)}.`;
  },
  MARK_FOR_REVIEW_TOGGLED: (line, { names }) => {
    const marked = flagIn(line, "marked");
    if (marked === null) return null;
    const question = names.name(line.question_id);
    return marked ? `Marked ${question} for review.` : `Took the mark off ${question}.`;
  },
};

export function eventWords(line: TimelineLine, telling: Telling): Words {
  if (line.event_type === "PAUSE_BLUR") return absenceWords(line, telling) ?? asStored(line);
  const what = EVENTS[line.event_type ?? ""]?.(line, telling);
  return what ? { what, meaning: null } : asStored(line);
}

function moved(line: TimelineLine, { names }: Telling, way: string): string | null {
  const [to, dwell] = [numberIn(line, "to_pos"), numberIn(line, "dwell_ms")];
  if (to === null) return null;
  const left = capital(names.name(line.question_id));
  return `${way} to question ${to}.${dwell === null ? "" : ` ${left} had been on the screen for ${duration(dwell)}.`}`;
}

/** A payload that is not as agreed is shown as it is. */
function asStored(line: TimelineLine): Words {
  const payload = line.detail && Object.keys(line.detail).length ? ` ${JSON.stringify(line.detail)}` : "";
  return { what: `${line.event_type ?? "An event"}${payload}`, meaning: null };
}

function absenceWords(line: TimelineLine, { absences, isOwn }: Telling): Words | null {
  const state = textIn(line, "state");
  if (state !== "blur" && state !== "focus") return null;
  const absence = absences.find((each) => each.stream_id === line.stream_id && isWithin(line, each));
  if (state === "focus") return { what: returned(line, absence), meaning: null };
  const isAgain = absence !== undefined && absence.left_at !== null && !isSame(absence.left_at, line.at);
  if (isAgain) return { what: "The page told once more that it has not the focus: the same absence.", meaning: null };
  const elsewhere = absence?.in_another_tab ? " Meanwhile another load of the exam's page told of events." : "";
  return { what: `The page lost the focus${lengthOf(absence)}.`, meaning: absenceMeaning(isOwn) + elsewhere };
}

export function absenceMeaning(isOwn: boolean): string {
  const who = isOwn ? "you" : "the candidate";
  return `Another tab or window, a notification or a click outside the page. It does not say what ${who} did.`;
}

function lengthOf(absence: Absence | undefined): string {
  if (!absence) return "";
  if (absence.away_ms !== null) return ` for ${duration(absence.away_ms)}`;
  if (absence.state === "open" && absence.reason === "not_back") return "; no return is stored";
  return `; for how long is not known: ${reasonText(absence.reason)}`;
}

function returned(line: TimelineLine, absence: Absence | undefined): string {
  if (absence?.state === "begun_elsewhere") {
    return "The page has the focus again. When it lost it, this load of the page does not tell.";
  }
  if (absence?.back_at && !isSame(absence.back_at, line.at))
    return "The page told of a return; the absence goes on below.";
  const away = numberIn(line, "away_ms");
  return `The page has the focus again${away === null ? "" : `, after ${duration(away)}`}.`;
}

function isWithin(line: TimelineLine, absence: Absence): boolean {
  if (!line.at) return false;
  const at = Date.parse(line.at);
  const from = absence.left_at === null ? Number.NEGATIVE_INFINITY : Date.parse(absence.left_at);
  const to = absence.back_at === null ? Number.POSITIVE_INFINITY : Date.parse(absence.back_at);
  return at >= from && at <= to;
}

function isSame(one: string, other: string | null): boolean {
  return other !== null && Date.parse(one) === Date.parse(other);
}

export function counted(value: number | null, thing: string, before = ""): string {
  return value === null ? "" : ` ${before}${plural(value, thing)}`;
}

export function plural(value: number, thing: string): string {
  return `${count(value)} ${thing}${value === 1 ? "" : "s"}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
