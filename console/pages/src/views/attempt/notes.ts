/** What the lines show together: another load of the page, a clock that was set, events that came late. No more than that. */

import type { TimelineLine } from "../../api/types";

/** A page sends within 12 s; what takes longer than this had no connection, no server, or no power. */
export const CAME_LATE_MS = 30_000;

export type Note =
  /** `isBeside`: an earlier load goes on after this one has begun, whatever the error of their times. */
  | { kind: "load"; load: number; isBeside: boolean }
  /** `backByMs`: by how much the clock ran backwards at least; null where it was set and nobody can say by how much. */
  | { kind: "clock"; load: number; backByMs: number | null }
  | { kind: "late"; load: number; events: number; mostMs: number };

export interface Row {
  notes: Note[]; // in front of the line
  line: TimelineLine;
  load: number | null; // which load of the page, from 1, in the order in which they began
  index: number;
}

/** Set the notes in front of the lines, which stay in their order. */
export function annotate(lines: readonly TimelineLine[]): Row[] {
  const loads = numberLoads(lines);
  const notes = new Map<number, Note[]>();
  const add = (index: number, note: Note) => notes.set(index, [...(notes.get(index) ?? []), note]);
  for (const [stream, load] of loads) {
    const own = indexesOf(lines, stream);
    if (load > 1) add(own[0] ?? 0, { kind: "load", load, isBeside: isBeside(lines, loads, own[0] ?? 0, load) });
    for (const [index, backByMs] of clockSteps(lines, own)) add(index, { kind: "clock", load, backByMs });
    for (const [index, events, mostMs] of lateStretches(lines, own)) add(index, { kind: "late", load, events, mostMs });
  }
  return lines.map((line, index) => ({
    notes: notes.get(index) ?? [],
    line,
    load: line.origin === "page" ? (loads.get(line.stream_id) ?? null) : null,
    index,
  }));
}

/** By how much later than it happened an event came, in ms; null where that is not known. */
export function cameLaterBy(line: TimelineLine): number | null {
  if (line.kind !== "event" || line.origin !== "page" || !line.at || !line.event_ts) return null;
  return Date.parse(line.event_ts) - Date.parse(line.at);
}

function numberLoads(lines: readonly TimelineLine[]): Map<string | null, number> {
  const loads = new Map<string | null, number>();
  for (const line of lines) {
    if (isOfPage(line) && !loads.has(line.stream_id)) loads.set(line.stream_id, loads.size + 1);
  }
  return loads;
}

function isOfPage(line: TimelineLine): boolean {
  return line.origin === "page" && (line.kind === "event" || line.kind === "gap");
}

function indexesOf(lines: readonly TimelineLine[], stream: string | null): number[] {
  return [...lines.keys()].filter((index) => {
    const line = lines[index];
    return line !== undefined && isOfPage(line) && line.stream_id === stream;
  });
}

function isBeside(
  lines: readonly TimelineLine[],
  loads: ReadonlyMap<string | null, number>,
  first: number,
  load: number,
): boolean {
  const began = lines.slice(first).find((line) => line.kind === "event" && loads.get(line.stream_id) === load)?.at;
  if (!began) return false;
  return lines.slice(first).some((line) => {
    const isEarlierLoad = isOfPage(line) && (loads.get(line.stream_id) ?? load) < load;
    if (!isEarlierLoad || !line.at || line.late_by_ms === null) return false;
    return Date.parse(line.at) - line.late_by_ms > Date.parse(began);
  });
}

/** Where a stream's next event is of another run, and both have the page's time: without it each is a run of its own. */
function* clockSteps(lines: readonly TimelineLine[], own: readonly number[]): Generator<[number, number | null]> {
  let before: TimelineLine | undefined;
  for (const index of own) {
    const line = lines[index];
    if (line?.kind !== "event") continue;
    if (before?.client_ts && line.client_ts && before.run && line.run && before.run !== line.run) {
      const step = Date.parse(line.client_ts) - Date.parse(before.client_ts);
      yield [index, step < 0 ? -step : null];
    }
    before = line;
  }
}

function* lateStretches(lines: readonly TimelineLine[], own: readonly number[]): Generator<[number, number, number]> {
  let stretch: [number, number, number] | undefined;
  for (const index of own) {
    const line = lines[index];
    if (line?.kind !== "event") continue;
    const later = cameLaterBy(line) ?? 0;
    if (later < CAME_LATE_MS) {
      if (stretch) yield stretch;
      stretch = undefined;
    } else {
      stretch = [stretch?.[0] ?? index, (stretch?.[1] ?? 0) + 1, Math.max(stretch?.[2] ?? 0, later)];
    }
  }
  if (stretch) yield stretch;
}
