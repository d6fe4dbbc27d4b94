import { useSyncExternalStore } from "react";

export type Route =
  | { view: "start" }
  | { view: "exam"; id: string; query: URLSearchParams }
  | { view: "sessions"; id: string; query: URLSearchParams }
  | { view: "attempt"; id: string; query: URLSearchParams }
  | { view: "operations"; part: OperationsPart; query: URLSearchParams }
  | { view: "accesses" };
export type OperationsPart = "overview" | "dead-letters" | "live" | "audit";

const ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const EXAM = new RegExp(`^/exams/(${ID})(/sessions)?$`, "i");
const ATTEMPT = new RegExp(`^/sessions/(${ID})$`, "i");
const PARTS: readonly OperationsPart[] = ["dead-letters", "live", "audit"];

/** An address that means nothing is the start page. */
export function parseRoute(hash: string): Route {
  const [path = "", search] = hash.replace(/^#/, "").split("?", 2);
  const query = new URLSearchParams(search);
  const [, exam, sessions] = EXAM.exec(path) ?? [];
  if (exam) return { view: sessions ? "sessions" : "exam", id: exam, query };
  const [, attempt] = ATTEMPT.exec(path) ?? [];
  if (attempt) return { view: "attempt", id: attempt, query };
  if (path === "/operations") return { view: "operations", part: "overview", query };
  const part = PARTS.find((each) => path === `/operations/${each}`);
  if (part) return { view: "operations", part, query };
  return path === "/accesses" ? { view: "accesses" } : { view: "start" };
}

export const hrefs = {
  start: "#/",
  exam: (id: string, query = "") => `#/exams/${id}${query}`,
  sessions: (id: string, query = "") => `#/exams/${id}/sessions${query}`,
  attempt: (id: string) => `#/sessions/${id}`,
  operations: (part: OperationsPart = "overview", query = "") =>
    `#/operations${part === "overview" ? "" : `/${part}`}${query}`,
  accesses: "#/accesses",
};

export function go(href: string): void {
  window.location.hash = href;
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(onHashChange, () => window.location.hash);
  return parseRoute(hash);
}

function onHashChange(notify: () => void): () => void {
  window.addEventListener("hashchange", notify);
  return () => window.removeEventListener("hashchange", notify);
}
