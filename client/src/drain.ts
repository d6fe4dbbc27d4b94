import { type Batch, cut, type Limits } from "./batch.js";
import type { Deliver } from "./delivery.js";
import { MAX_EVENTS_PER_BATCH } from "./events.js";
import type { Notices } from "./notices.js";
import type { Pacing } from "./pacing.js";
import type { Queue, Waiting } from "./queue.js";
import { isAboutContent } from "./retry.js";
import type { AnyResult } from "./transport.js";

/** A flush leaves a queue to the next one after so many batches of it were refused. */
export const MAX_REFUSALS_PER_FLUSH = 100;

/** Why a queue is not emptied: what is in it cannot be sent from here as things are, or not now. */
export type Obstacle = "stuck" | "later" | undefined;

export interface Drain {
  /** Sends what waits, one request at a time, until there is nothing or the tries are used up. */
  drain(queue: Queue, signal: AbortSignal): Promise<Obstacle>;
  /** Does what follows from an answer. With no obstacle the next batch is another one, and worth a try. */
  settle(queue: Queue, batch: Batch, result: AnyResult): Obstacle;
}

export function openDrain(deliver: Deliver, limits: Limits, pacing: Pacing, notices: Notices): Drain {
  /** Makes the next batch another one. */
  const narrow = (queue: Queue, { events, bytes }: Batch, { status }: AnyResult): Obstacle => {
    const isAlone = !events[1];
    const isAgain = events[0]?.isSuspect;
    for (const event of events) Object.assign(event, { isSuspect: isAlone, refusedAt: queue.accepted });
    if (status === 413 && !isAlone) limits.bytes = bytes / 2;
    else limits.events = Math.ceil(events.length / 2);
    return isAgain ? "stuck" : undefined;
  };

  const settle: Drain["settle"] = (queue, batch, result) => {
    const { events } = batch;
    const { length } = events;
    const { kind, status, code, reasons = [], rejected = length, accepted = length - rejected } = result;
    if (kind === "accepted" && accepted + rejected === length) {
      notices.log("sent", length);
      queue.accepted++;
      limits.events = Math.min(limits.events * 2, MAX_EVENTS_PER_BATCH);
      pacing.reset(0);
    } else if (kind !== "refused" || !isAboutContent(status)) return "later";
    else if (reasons.some((reason) => reason.code === "session_not_owned")) return "stuck";
    else if (code !== "every_event_invalid" && !reasons[length - 1] && !isToBlame(queue, events)) {
      return narrow(queue, batch, result);
    }
    notices.forget(queue, events, "rejected", rejected, reasons[0]?.code ?? code);
    return undefined;
  };

  return {
    settle,
    async drain(queue, signal) {
      const { accepted } = queue;
      for (let refusals = 0; ; ) {
        await pacing.wait(signal);
        const batch = cut(queue, limits);
        if (!batch.events[0]) return undefined;
        if (signal.aborted) return "later";
        const result: AnyResult = await deliver(batch, false, queue.accepted === accepted, signal);
        const obstacle = settle(queue, batch, result);
        if (!obstacle && (result.kind === "accepted" || ++refusals < MAX_REFUSALS_PER_FLUSH)) continue;
        if (signal.aborted) return "later";
        if (obstacle === "stuck" && queue.leftAt) return obstacle; // no fault of this page's
        if (pacing.failed(result) && result.kind !== "refused") continue;
        notices.problem(result);
        return obstacle ?? "later";
      }
    },
  };
}

/** A batch with this event was refused, others of it were accepted, and it was refused alone. */
const isToBlame = ({ accepted }: Queue, [event, isMore]: Waiting[]): boolean =>
  !isMore && (event?.refusedAt as number) < accepted; // false for undefined
