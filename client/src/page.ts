export const isPageHidden = (): boolean => typeof document !== "undefined" && document.visibilityState === "hidden";

/**
 * Calls `leaving` when nobody looks at the page any more, for it may never be shown again, and when it goes; and
 * `online` when the network is back. Returns the function that stops listening.
 */
export function listenToPage(leaving: () => void, online: () => void): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  // Hidden is not gone: what the page's own listeners track about it should go along.
  const changed = () => isPageHidden() && setTimeout(leaving);
  if (typeof document !== "undefined") {
    document.addEventListener("visibilitychange", changed, { signal });
    addEventListener("pagehide", leaving, { signal });
    addEventListener("online", online, { signal });
  }
  return () => listening.abort();
}
