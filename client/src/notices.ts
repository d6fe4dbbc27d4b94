import { attempt } from "./attempt.js";
import type { DropReason, TelemetryOptions } from "./client.js";
import type { Queue, Waiting } from "./queue.js";
import type { Store } from "./store.js";
import type { Answer, SendResult } from "./transport.js";

/** Why events wait. */
export interface Problem {
  /**
   * Of the answer. 0: there is none that a page may read, for the browser is offline, a blocker or the network is in the
   * way, or the page's origin is not allowed; which one a browser does not say. 2xx: somebody else than the gateway
   * answered.
   */
  status: number;
  /** The gateway's own. */
  code?: string | undefined;
}

/** What became of events, for the page to know. Nothing here throws. */
export interface Notices {
  log(...what: unknown[]): void;
  /** Forgets events of a queue, of which, or of others that never were in it, `count` will not come. */
  forget(queue: Queue, events: Waiting[], reason: DropReason, count: number, code?: string): void;
  problem(result: SendResult): void;
}

export function openNotices(store: Store, { onDrop, onError, debug }: TelemetryOptions): Notices {
  const log = (...what: unknown[]) => debug && console.debug("attemptlog:", ...what);
  return {
    log,
    forget(queue, events, reason, count, code) {
      const { head } = queue;
      queue.events = queue.events.filter((event) => !events.includes(event));
      for (const { key } of events) store.remove(key);
      if (!count) return;
      head.dropped = { ...head.dropped, [reason]: (head.dropped?.[reason] ?? 0) + count };
      const drop = [reason, count, code].filter(Boolean) as [DropReason, number, string?];
      log("dropped", drop);
      attempt(() => onDrop?.(...drop));
    },
    problem(result) {
      const { status = result.kind === "accepted" ? 200 : 0, code }: Answer = result;
      log("not sent", status, code);
      attempt(() => onError?.({ status, code }));
    },
  };
}
