/** The whole attempt on one line: where things are, in per cent of the time from the first line to the last. */

import type { Absence, Attempt, TimelineLine } from "../../api/types";
import { axisText } from "./clock";
import type { Group } from "./groups";
import type { QuestionNames } from "./questions";

export interface Span {
  from: number;
  to: number;
}
export interface Strip {
  lengthMs: number;
  page: number[];
  service: number[];
  questions: (Span & { text: string })[];
  absences: (Span & { isMeasured: boolean })[];
  faults: number[];
  ticks: { at: number; text: string }[];
}

const SECOND = 1000;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400];
const MOST_TICKS = 6; // what a phone has room for
const GRAIN = 0.2; // per cent; what is nearer to each other is one mark

/** Null where no time passed, or none is known. */
export function stripOf(attempt: Attempt, groups: readonly Group[], names: QuestionNames): Strip | null {
  const times = attempt.lines.flatMap((line) => (line.at ? [Date.parse(line.at)] : []));
  const [from, to] = times.reduce(
    ([least, most], at) => [Math.min(least, at), Math.max(most, at)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  if (!(to > from)) return null;
  const place = (at: string | number) => {
    const share = ((typeof at === "number" ? at : Date.parse(at)) - from) / (to - from);
    return 100 * Math.min(1, Math.max(0, share));
  };
  return {
    lengthMs: to - from,
    page: thinned(
      attempt.lines.filter((line) => isEvent(line) && line.origin === "page"),
      place,
    ),
    service: thinned(
      attempt.lines.filter((line) => isEvent(line) && line.origin === "service"),
      place,
    ),
    questions: questionSpans(groups, names, place),
    absences: attempt.absences.flatMap((absence) => absenceSpan(absence, place)),
    faults: faultPlaces(attempt.lines, place),
    ticks: ticksOf(to - from),
  };
}

type PlaceOf = (at: string | number) => number;

function isEvent(line: TimelineLine): boolean {
  return line.kind === "event" && line.at !== null;
}

function thinned(lines: readonly TimelineLine[], place: PlaceOf): number[] {
  return distinct(lines.map((line) => place(line.at ?? 0)));
}

function distinct(places: readonly number[]): number[] {
  return [...new Set(places.map((at) => Math.round(at / GRAIN)))].map((at) => Math.round(at * GRAIN * 10) / 10);
}

function questionSpans(groups: readonly Group[], names: QuestionNames, place: PlaceOf): Strip["questions"] {
  return groups.flatMap(({ place: of, at }, index) => {
    if (of.kind !== "visit" || at === null) return [];
    const next = groups.slice(index + 1).find((group) => group.at !== null)?.at;
    const text = names.position(of.questionId);
    return [{ from: place(at), to: next ? place(next) : 100, text: text === null ? "?" : String(text) }];
  });
}

/** An absence without a length, or without one of its ends, is as long as it is known to be: maybe a mark only. */
function absenceSpan({ left_at, back_at, away_ms }: Absence, place: PlaceOf): Strip["absences"] {
  const [from, to] = [left_at ?? back_at, back_at ?? left_at];
  if (from === null || to === null) return [];
  return [{ from: place(from), to: place(to), isMeasured: away_ms !== null }];
}

/** Where nobody knows when, the next line that has a time stands for it. */
function faultPlaces(lines: readonly TimelineLine[], place: PlaceOf): number[] {
  const places: number[] = [];
  let next = 100;
  for (const line of lines.toReversed()) {
    if (line.at) next = place(line.at);
    if (line.kind !== "event") places.push(next);
  }
  return distinct(places.reverse());
}

export function ticksOf(lengthMs: number): Strip["ticks"] {
  const lengthS = lengthMs / SECOND;
  let step = STEPS_S.find((each) => lengthS / each <= MOST_TICKS) ?? (STEPS_S.at(-1) as number);
  while (lengthS / step > MOST_TICKS) step *= 2;
  return Array.from({ length: Math.floor(lengthS / step) + 1 }, (_, index) => ({
    at: (100 * index * step) / lengthS,
    text: axisText(index * step * SECOND),
  }));
}
