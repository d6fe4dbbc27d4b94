import { useEffect, useMemo, useRef } from "react";
import { createTelemetryClient, type TelemetryClient, type TelemetryOptions } from "./client.js";

export type { DropReason, TelemetryOptions } from "./client.js";
export type { EventType, Payloads, Source } from "./events.js";

export type Telemetry = Pick<TelemetryClient, "track" | "flush">;

/**
 * Returns the telemetry of a session; the same object as long as the session is the same. Its client lives from mount
 * to unmount. `onDrop` and `token` may change; of the other options those at the time of mounting count.
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
          onDrop: (reason, count) => latest.current.onDrop?.(reason, count),
        }),
      ),
    [sessionId],
  );
  useEffect(mount, [mount]);
  return telemetry;
}

/** Rendering has no side effects, so the client is made on mount; what children track before that waits for it. */
function prepare(create: () => TelemetryClient) {
  const early: Parameters<TelemetryClient["track"]>[] = [];
  let client: TelemetryClient | undefined;
  let isMounted = false;
  let isOpen = false;

  const closeUnlessMounted = () => {
    if (isMounted) return;
    isOpen = false;
    void client?.close();
  };

  // Not closed at once: StrictMode mounts again in the same task, and children may have a last event.
  const unmount = () => {
    isMounted = false;
    queueMicrotask(closeUnlessMounted);
  };

  const mount = () => {
    isMounted = true;
    const current = isOpen && client ? client : create();
    client = current;
    isOpen = true;
    for (const event of early.splice(0)) current.track(...event);
    return unmount;
  };

  const telemetry: Telemetry = {
    track: (...event) => (client ? client.track(...event) : void early.push(event)),
    flush: async () => client?.flush(),
  };
  return { telemetry, mount };
}
