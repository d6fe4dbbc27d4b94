/** What is in a payload is a convention that nobody checks: a field that is not as agreed is as if it were not there. */

import type { TimelineLine } from "../../api/types";

export function numberIn(line: TimelineLine, name: string): number | null {
  const value = line.detail?.[name];
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}

export function flagIn(line: TimelineLine, name: string): boolean | null {
  const value = line.detail?.[name];
  return typeof value === "boolean" ? value : null;
}

export function textIn(line: TimelineLine, name: string): string | null {
  const value = line.detail?.[name];
  return typeof value === "string" ? value : null;
}
