"use client";

import { useEffect, useMemo, useRef } from "react";
import { createTelemetryClient, FLUSH_EVERY_MS, type TelemetryClient, type TelemetryOptions } from "./client.js";
import { unref } from "./timers.js";

export type { TelemetryOptions } from "./client.js";
export type { DropReason, EventType, Payloads, Source } from "./events.js";
export type { Problem } from "./notices.js";

export type Telemetry = Pick<TelemetryClient, "track" | "flush">;

/**
 * Returns the telemetry of a session; the same object as long as the session is the same. Its client lives from mount
 * to unmount, and again for a moment when something is tracked outside of that. `onDrop`, `onError` and `token` may
 * change; of the other options those count that were there when the client was made.
 */
export function useTelemetry(sessionId: string, options: TelemetryOptions = {}): Telemetry {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const { telemetry, mount } = useMemo(
    () =>
      prepare(() =>
        createTelemetryClient(sessionId, "web", {
          ...latest.current,
          token: () => latest.current.token?.(),
          onDrop: (...drop) => latest.current.onDrop?.(...drop),
          onError: (problem) => latest.current.onError?.(problem),
        }),
      ),
    [sessionId],
  );
  useEffect(mount, [mount]);
  return telemetry;
}

/**
 * A client is made on mount, or for what is tracked before or after: by an effect of a child, or by what React hides
 * without a word (its effects are undone as if it were unmounted). What nothing is mounted for is closed again soon.
 */
function prepare(create: () => TelemetryClient) {
  let client: TelemetryClient | undefined;
  let isMounted = false;
  let closing: ReturnType<typeof setTimeout> | undefined;

  const open = () => {
    client ??= create();
    return client;
  };

  const closeUnlessMounted = () => {
    clearTimeout(closing);
    closing = undefined;
    if (isMounted) return;
    void client?.close();
    client = undefined;
  };

  // Not closed at once: StrictMode mounts again in the same task, and children may have a last event.
  const unmount = () => {
    isMounted = false;
    queueMicrotask(closeUnlessMounted);
  };

  const mount = () => {
    isMounted = true;
    open();
    return unmount;
  };

  const telemetry: Telemetry = {
    track(...event) {
      open().track(...event);
      if (!isMounted) closing ??= unref(setTimeout(closeUnlessMounted, FLUSH_EVERY_MS));
    },
    flush: async () => client?.flush(),
  };
  return { telemetry, mount };
}
