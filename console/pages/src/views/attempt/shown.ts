/** Which lines are asked for. */

import type { TimelineLine } from "../../api/types";
import type { Group } from "./groups";
import type { Note, Row } from "./notes";

export const KINDS = ["all", "answers", "absences", "faults"] as const;
export type Kind = (typeof KINDS)[number];

/** Return the groups with the lines of that kind only; what is left without any is not there. */
export function only(kind: Kind, groups: readonly Group[]): Group[] {
  if (kind === "all") return [...groups];
  return groups
    .map((group) => ({
      ...group,
      rows: group.rows.map((row) => withNotes(row, kind)).filter((row) => isOf(row, kind)),
    }))
    .filter((group) => group.rows.length > 0);
}

export function countRows(groups: readonly Group[]): number {
  return groups.reduce((total, group) => total + group.rows.length, 0);
}

function withNotes(row: Row, kind: Kind): Row {
  return { ...row, notes: kind === "faults" ? row.notes.filter(isFault) : [] };
}

function isOf({ line, notes }: Row, kind: Kind): boolean {
  if (kind === "faults") return line.kind !== "event" || notes.length > 0;
  return kind === "answers" ? isOfType(line, "ANSWER_") : isOfType(line, "PAUSE_BLUR");
}

function isOfType(line: TimelineLine, type: string): boolean {
  return line.kind === "event" && line.event_type !== null && line.event_type.startsWith(type);
}

function isFault(note: Note): boolean {
  return note.kind !== "load";
}
