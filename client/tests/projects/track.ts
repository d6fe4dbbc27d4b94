import { createTelemetryClient, type Problem, type TelemetryOptions } from "attemptlog-client";
import { stopwatch } from "attemptlog-client/stopwatch";
import { type MemoryTransport, memoryTransport } from "attemptlog-client/testing";

export const SESSION = "01890a5d-ac96-774b-bcce-b302099a8057";

/** Returns the numbers of the events that arrived. */
export async function trackWithoutReact(): Promise<number[]> {
  const transport: MemoryTransport = memoryTransport();
  const elapsed = stopwatch();
  const kinds: Problem["kind"][] = [];
  const options: TelemetryOptions = { transport, onError: ({ kind }) => kinds.push(kind) };
  const { track, close } = createTelemetryClient(SESSION, "web", options);
  track("QUESTION_VIEWED", { pos: 1 });
  track("NAVIGATE_NEXT", { from_pos: 1, to_pos: 2, dwell_ms: elapsed() ?? 0 });
  // @ts-expect-error: a position is a number, and nothing here is `any`
  track("QUESTION_VIEWED", { pos: "1" });
  await close();
  return transport.accepted.flatMap(({ events }) => events.map(({ seq }) => seq));
}
