/** The lines of a session in stretches that a reader can hold: a visit of a question, the overview, the end. */

import type { Row } from "./notes";

export type Place =
  | { kind: "beginning" }
  /** `goesOn`: the same visit was in the timeline before, and another question was viewed in between. */
  | { kind: "visit"; questionId: string; visit: number; goesOn: boolean }
  | { kind: "overview" }
  | { kind: "end" };

export interface Group {
  place: Place;
  rows: Row[];
  at: string | null; // of the first line that has a time
}

const ENDS = new Set(["SESSION_SUBMITTED", "SESSION_EXPIRED"]);

/**
 * A visit is as in docs/indicators.md: it begins with a view, and the same question viewed again without a move is the
 * same visit. What is not an event stands where the timeline has it and begins nothing.
 */
export function groupByVisit(rows: readonly Row[]): Group[] {
  const visits = createVisits();
  const groups: Group[] = [];
  for (const row of rows) {
    const current = groups.at(-1);
    const place = placeFrom(row, current?.place, visits) ?? (current ? null : ({ kind: "beginning" } as const));
    if (place) groups.push({ place, rows: [row], at: row.line.at });
    else if (current) {
      current.rows.push(row);
      current.at ??= row.line.at;
    }
  }
  return groups;
}

interface Visits {
  move: () => void;
  view: (questionId: string) => { visit: number; goesOn: boolean };
}

/** Return where the line begins, or null when it belongs to what is there. */
function placeFrom({ line }: Row, current: Place | undefined, visits: Visits): Place | null {
  if (line.kind !== "event" || line.event_type === null) return null;
  if (line.event_type.startsWith("NAVIGATE")) visits.move();
  if (ENDS.has(line.event_type)) return current?.kind === "end" ? null : { kind: "end" };
  if (line.event_type === "REVIEW_OPENED") return current?.kind === "overview" ? null : { kind: "overview" };
  if (line.event_type !== "QUESTION_VIEWED" || line.question_id === null) return null;
  const view = visits.view(line.question_id);
  const isSame = current?.kind === "visit" && current.questionId === line.question_id && current.visit === view.visit;
  return isSame ? null : { kind: "visit", questionId: line.question_id, ...view };
}

function createVisits(): Visits {
  let moves = 0;
  const last = new Map<string, { visit: number; moves: number }>();
  return {
    move: () => {
      moves += 1;
    },
    view: (questionId) => {
      const before = last.get(questionId);
      const goesOn = before?.moves === moves;
      const visit = goesOn ? before.visit : (before?.visit ?? 0) + 1;
      last.set(questionId, { visit, moves });
      return { visit, goesOn };
    },
  };
}
