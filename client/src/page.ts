import { quietly } from "./quietly.js";

/**
 * Calls `leaving` when nobody looks at the page any more, for it may never be shown again, and when it goes; and `back`
 * when somebody looks at it again or the network is back. Returns the function that stops listening.
 */
export function listenToPage(leaving: () => void, back: () => void): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  // Hidden is not gone: what the page's own listeners track about it should go along.
  const changed = () => (document.hidden ? setTimeout(leaving) : back());
  quietly(() => {
    document.addEventListener("visibilitychange", changed, { signal });
    addEventListener("pagehide", leaving, { signal });
    addEventListener("online", back, { signal });
  });
  return () => listening.abort();
}
