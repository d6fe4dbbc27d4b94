import { useSyncExternalStore } from "react";

export type Route = { view: "start" } | { view: "session"; id: string; page: Page };
export type Page = "exam" | "review";

const SESSION = /^#\/sessions\/([0-9a-f-]{36})(\/review)?$/i;

/** An address that means nothing is the start page. */
export function parseRoute(hash: string): Route {
  const [, id, review] = SESSION.exec(hash) ?? [];
  return id ? { view: "session", id, page: review ? "review" : "exam" } : { view: "start" };
}

export function sessionHref(id: string, page: Page = "exam"): string {
  return `#/sessions/${id}${page === "review" ? "/review" : ""}`;
}

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
