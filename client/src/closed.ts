import type { Notices } from "./notices.js";
import type { Queue } from "./queue.js";

// Of one session. A closed client sends nothing, so the page's next one of that session tells the server.
let untold: Record<string, number> = {};

export function noteClosed(queue: Queue, notices: Notices, session: string): void {
  notices.forget(queue, [], "closed", 1);
  untold = { [session]: (untold[session] ?? 0) + 1 };
}

export function tellOfClosed({ head }: Queue, session: string): void {
  if (untold[session]) head.dropped = { closed: untold[session] };
  untold = {};
}
