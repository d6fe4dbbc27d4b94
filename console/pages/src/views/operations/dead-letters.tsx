import type { Me } from "../../api/types";
import { LetterDetail } from "./letter-detail";
import { LetterList } from "./letter-list";

/** The list, or with `letter` in the address that one. */
export function DeadLetters({ query, me }: { query: URLSearchParams; me: Me }) {
  const letter = Number(query.get("letter"));
  const mayReplay = me.role === "operator"; // an auditor changes nothing
  if (Number.isSafeInteger(letter) && letter > 0) {
    return <LetterDetail key={letter} id={letter} query={query} mayReplay={mayReplay} />;
  }
  return <LetterList key={query.toString()} query={query} mayReplay={mayReplay} />;
}
