import type { FreshEvent, QueuedEvent } from "./event.js";
import { openLease } from "./lease.js";
import { isPageHidden } from "./page.js";
import { append, MAX_QUEUED_EVENTS, trim } from "./state.js";
import { openStore, type StorageLike } from "./store.js";

/** The events of a session that are not acknowledged yet; its tabs share them. */
export interface Queue {
  add(event: FreshEvent): void;
  acknowledge(events: QueuedEvent[]): void;
  /** Numbers and keeps what was added, forgets what was acknowledged; resolves with what waits, oldest first. */
  sync(): Promise<QueuedEvent[]>;
  /** The same at once, for a page that may be going; what cannot be numbered in time waits for a tab that can. */
  leave(): QueuedEvent[];
  /** Whether nothing is left from an earlier visit, or by another tab. */
  isEmpty(): boolean;
}

export function openQueue(
  name: string,
  storage: StorageLike | undefined,
  startSeq: number | undefined,
  onFull: (count: number) => void,
): Queue {
  const store = openStore(storage, name);
  const lease = openLease(name);
  const acknowledged = new Set<number>();
  let fresh: FreshEvent[] = [];
  let next = Math.max(1, Number(startSeq) | 0); // 31 bits, as on the server; 1 for anything that is no such number
  let syncing: Promise<QueuedEvent[]> | undefined;

  const readWaiting = () => {
    const state = store.read();
    state.queue = state.queue.filter(({ seq }) => !acknowledged.has(seq));
    return state;
  };

  const syncNow = () => {
    const state = readWaiting();
    const added = [...store.takeSetAside(), ...fresh];
    const isChanged = added.length > 0 || acknowledged.size > 0;
    state.next = Math.max(state.next, next);
    append(state, added, Date.now());
    const dropped = trim(state);
    next = state.next;
    fresh = [];
    acknowledged.clear();
    if (isChanged) store.write(state);
    if (dropped) onFull(dropped);
    return state.queue;
  };

  const sync = () => {
    syncing ??= lease.take().then(() => {
      syncing = undefined;
      const waiting = syncNow();
      if (isPageHidden()) lease.release(); // the tab that is looked at has more to write
      return waiting;
    });
    return syncing;
  };

  const leave = () => {
    if (!lease.isHeld() && store.setAside(fresh)) {
      fresh = [];
      return readWaiting().queue;
    }
    const waiting = syncNow();
    lease.release();
    return waiting;
  };

  const add = (event: FreshEvent) => {
    fresh.push(event);
    if (fresh.length < MAX_QUEUED_EVENTS) void sync();
    else syncNow(); // bounded however long the lease takes
  };

  const acknowledge = (events: QueuedEvent[]) => {
    for (const { seq } of events) acknowledged.add(seq);
  };

  return { add, acknowledge, sync, leave, isEmpty: store.isEmpty };
}
