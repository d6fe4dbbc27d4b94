/** The part of the address that says which letters are looked at. */

import { hrefs } from "../../route";

export const REASONS = [
  "undecodable",
  "unknown_session",
  "session_not_owned",
  "question_not_in_session",
  "unknown_question",
  "seq_conflict",
  "rejected_by_database",
];
export const STATES = ["open", "settled"];

/** The address with some of its parameters replaced; null takes one away. */
export function lettersHref(query: URLSearchParams, changes: Record<string, string | number | null>): string {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, String(value));
  }
  const text = next.toString();
  return hrefs.operations("dead-letters", text && `?${text}`);
}
