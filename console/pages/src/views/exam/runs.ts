import type { ReactNode } from "react";

export interface Column<Row> {
  name: string;
  isNumber?: boolean;
  /** Why the row has no such figure, as Figure takes it; undefined where it has one. */
  why?: (row: Row) => string | null | undefined;
  cell: (row: Row) => ReactNode;
}

/** Neighbouring columns; of more than one, the reason why a row has none of their figures. */
export interface Run<Row> {
  columns: [Column<Row>, ...Column<Row>[]];
  reason: string | null | undefined;
}

/** What a row lacks for one reason is said once. */
export function runsOf<Row>(row: Row, columns: readonly Column<Row>[]): Run<Row>[] {
  const runs: Run<Row>[] = [];
  for (const column of columns) {
    const reason = column.why?.(row);
    const last = runs.at(-1);
    if (reason !== undefined && last?.reason === reason) last.columns.push(column);
    else runs.push({ columns: [column], reason });
  }
  return runs;
}

export function namesOf<Row>(run: Run<Row>): string {
  const [first, ...others] = run.columns;
  return [first.name, ...others.map(({ name }) => name.toLowerCase())].join(", ");
}

/** A figure's column: why it is not known, or its text. */
export function figure<Row>(
  name: string,
  of: (row: Row) => number | null,
  why: (row: Row) => string | null,
  cell: (value: number, row: Row) => ReactNode,
): Column<Row> {
  return {
    name,
    isNumber: true,
    why: (row) => (of(row) === null ? why(row) : undefined),
    cell: (row) => {
      const value = of(row);
      return value === null ? null : cell(value, row);
    },
  };
}
