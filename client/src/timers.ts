type Timer = ReturnType<typeof setTimeout> & { unref?(): void };

/** Lets a server's process end in spite of `timer`. */
export function unref(timer: Timer): Timer {
  timer.unref?.();
  return timer;
}

export interface Deadline {
  /** Aborted when it is over. */
  signal: AbortSignal;
  /** Resolves then. */
  over: Promise<void>;
  end(): void;
}

/** Is over after `ms`, with `stop`, or when it is ended. */
export function deadline(ms: number, stop?: AbortSignal): Deadline {
  const controller = new AbortController();
  const { signal } = controller;
  const end = () => controller.abort();
  const over = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  const timer = unref(setTimeout(end, ms));
  stop?.addEventListener("abort", end, { signal });
  if (stop?.aborted) end();
  return { signal, over, end };
}
