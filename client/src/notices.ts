import type { TelemetryOptions } from "./client.js";
import type { DropReason } from "./events.js";
import type { Queue, Waiting } from "./queue.js";
import { quietly } from "./quietly.js";
import type { Store } from "./store.js";
import type { AnyResult } from "./transport.js";

/** Why events wait. */
export interface Problem {
  /**
   * `no_answer`: none that a page may read, for the browser is offline, a blocker or the network is in the way, or the
   * page's origin is not allowed; which one a browser does not say. `not_gateway`: somebody else answered.
   * `unauthorized`, also when there is no token to be had. `forbidden`: the session is not this user's, or a firewall
   * refuses. `not_found`: nobody takes events there. `refused`: any other 4xx. `unavailable`: 408, 425, 429 or 5xx.
   */
  kind: "no_answer" | "not_gateway" | "unauthorized" | "forbidden" | "not_found" | "refused" | "unavailable";
  /** Of the answer, if there is one. */
  status: number | undefined;
  /** The gateway's own. */
  code: string | undefined;
}

/** What became of events, for the page to know. Nothing here throws. */
export interface Notices {
  log(...what: unknown[]): void;
  /** Forgets events of a queue, of which `count`, all by default, will not come; none for one that never was in it. */
  forget(queue: Queue, events: Waiting[], reason: DropReason, count?: number, code?: string): void;
  problem(result: AnyResult): void;
}

export function openNotices(store: Store, { onDrop, onError, debug }: TelemetryOptions): Notices {
  const log = (...what: unknown[]) => debug && console.debug("attemptlog:", ...what);
  return {
    log,
    forget(queue, events, reason, count = events.length, code) {
      const { head } = queue;
      queue.events = queue.events.filter((event) => !events.includes(event));
      for (const { key } of events) store.remove(key);
      if (!count) return;
      head.dropped = { ...head.dropped, [reason]: (head.dropped?.[reason] ?? 0) + count };
      const drop = [reason, count, code].filter(Boolean) as [DropReason, number, string?];
      log("dropped", drop);
      quietly(() => onDrop?.(...drop));
    },
    problem(result) {
      const { status, code } = result;
      const problem = { kind: kindOf(result), status, code };
      log("not sent", problem);
      quietly(() => onError?.(problem));
    },
  };
}

const KINDS: Record<number, Problem["kind"]> = {
  0: "no_answer",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
};

const kindOf = ({ kind, status = kind === "accepted" ? 200 : 0 }: AnyResult): Problem["kind"] =>
  KINDS[status] ?? (status < 400 ? "not_gateway" : kind === "refused" ? kind : "unavailable");
