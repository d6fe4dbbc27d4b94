type Timer = ReturnType<typeof setTimeout> & { unref?(): void };

/** Lets a server's process end in spite of `timer`. */
export function unref(timer: Timer): Timer {
  timer.unref?.();
  return timer;
}

export interface Deadline {
  signal: AbortSignal;
  /** To be called when nobody listens to `signal` any more. */
  end(): void;
}

/** Its signal is aborted after `ms`, or with `stop`. */
export function deadline(ms: number, stop?: AbortSignal): Deadline {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = unref(setTimeout(abort, ms));
  stop?.addEventListener("abort", abort);
  if (stop?.aborted) abort();
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      stop?.removeEventListener("abort", abort);
    },
  };
}

export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });

/** Resolves after `ms`, or as soon as `stop` is aborted. */
export async function pause(ms: number, stop?: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  const { signal, end } = deadline(ms, stop);
  await aborted(signal);
  end();
}
