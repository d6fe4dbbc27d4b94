import { useEffect, useState } from "react";
import type { ApiResult, StoredEvents } from "./api";

const POLL_MS = 1_000;

export interface LiveEvents {
  isConnected: boolean;
  stored: StoredEvents;
}

const NOTHING_YET: LiveEvents = { isConnected: true, stored: { total: 0, events: [] } };

/** Asks once a second what is stored, while the page is visible. */
export function useLiveEvents(fetchEvents: () => Promise<ApiResult<StoredEvents>>): LiveEvents {
  const [live, setLive] = useState(NOTHING_YET);
  useEffect(() => {
    return poll(fetchEvents, (result) => {
      setLive((last) => (result.ok ? { isConnected: true, stored: result.value } : { ...last, isConnected: false }));
    });
  }, [fetchEvents]);
  return live;
}

/** Returns a function that stops the polling. */
function poll<T>(call: () => Promise<T>, onResult: (result: T) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;

  async function tick(): Promise<void> {
    if (document.visibilityState === "visible") {
      const result = await call();
      if (isStopped) return;
      onResult(result);
    }
    timer = setTimeout(tick, POLL_MS);
  }

  void tick();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

/** `pos 3 · choice 1` */
export function compact(payload: Record<string, unknown>): string {
  return Object.entries(payload)
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(" · ");
}

/** Who reported an event: the page itself, or the session service. */
export function reporter(source: string | null): string {
  if (source === "api") return "service";
  return source === "web" ? "page" : (source ?? "unknown");
}
