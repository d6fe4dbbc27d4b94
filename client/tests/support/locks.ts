import { vi } from "vitest";

type Work = () => unknown;

interface Request {
  work: Work;
  resolve: (value: unknown) => void;
  reject: (reason: unknown) => void;
}

/** Web Locks as far as the client uses them: exclusive, first come first served, an abortable wait, stealing. */
export function fakeLocks() {
  const holders = new Map<string, Request>();
  const queues = new Map<string, Request[]>();
  const queueOf = (name: string) => queues.get(name) ?? queues.set(name, []).get(name) ?? [];
  const aborted = () => new DOMException("The request was aborted", "AbortError");

  const grant = async (name: string, request: Request) => {
    holders.set(name, request);
    try {
      request.resolve(await request.work());
    } catch (error) {
      request.reject(error);
    }
    if (holders.get(name) === request) passOn(name);
  };

  const passOn = (name: string) => {
    holders.delete(name);
    const waiting = queueOf(name).shift();
    if (waiting) void grant(name, waiting);
  };

  const request = (name: string, { signal, steal }: { signal?: AbortSignal; steal?: boolean }, work: Work) =>
    new Promise<unknown>((resolve, reject) => {
      const mine = { work, resolve, reject };
      signal?.addEventListener("abort", () => {
        const place = queueOf(name).indexOf(mine);
        if (place >= 0) queueOf(name).splice(place, 1);
        if (place >= 0) reject(aborted());
      });
      if (steal) holders.get(name)?.reject(aborted());
      else if (holders.has(name)) return void queueOf(name).push(mine);
      void Promise.resolve().then(() => grant(name, mine));
      holders.set(name, mine);
    });

  return { request };
}

/** Gives the page Web Locks; without a call it has none, as over plain http. */
export function withWebLocks(): ReturnType<typeof fakeLocks> {
  const locks = fakeLocks();
  vi.stubGlobal("navigator", { locks });
  return locks;
}
