// @vitest-environment happy-dom
import { Activity, act, type ReactNode, StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { TelemetryOptions } from "../src/index.js";
import { type Telemetry, useTelemetry } from "../src/react.js";
import { memoryTransport } from "../src/testing.js";
import { hidePage } from "./support/page.js";
import { browser, eventsOf, moment, positionsOf, seqsOf, storedOf, upTo } from "./support/sessions.js";
import { memoryStorage } from "./support/storage.js";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

let root: ReturnType<typeof createRoot>;
const render = (page: ReactNode) => act(async () => root.render(page));
const unmount = () => act(async () => root.unmount());

interface Props {
  sessionId: string;
  options: TelemetryOptions;
  seen?: Telemetry[];
  children?: (telemetry: Telemetry) => ReactNode;
}

function Exam({ sessionId, options, seen = [], children }: Props) {
  const telemetry = useTelemetry(sessionId, options);
  seen.push(telemetry);
  return children?.(telemetry) ?? null;
}

/** Tracks when it is shown and when it goes. */
function Question({ telemetry }: { telemetry: Telemetry }) {
  useEffect(() => {
    telemetry.track("QUESTION_VIEWED", { pos: 1 });
    return () => telemetry.track("NAVIGATE_NEXT", { from_pos: 1, to_pos: 2, dwell_ms: 5 });
  }, [telemetry]);
  return null;
}

beforeEach(() => {
  vi.useFakeTimers();
  root = createRoot(document.createElement("div"));
});

afterEach(unmount);

describe("useTelemetry", () => {
  it("tracks what happens in the session", async () => {
    const { transport, storage, sessionId } = browser();
    await render(
      <Exam sessionId={sessionId} options={{ transport, storage }}>
        {(telemetry) => <Question telemetry={telemetry} />}
      </Exam>,
    );
    await unmount();
    await moment();

    expect(eventsOf(transport).map(({ event_type }) => event_type)).toEqual(["QUESTION_VIEWED", "NAVIGATE_NEXT"]);
    expect(transport.accepted.every(({ source }) => source === "web")).toBe(true);
  });

  it("returns the same functions on every render of a session", async () => {
    const { transport, storage, sessionId } = browser();
    const seen: Telemetry[] = [];
    for (let turn = 0; turn < 3; turn++) {
      await render(<Exam sessionId={sessionId} options={{ transport, storage }} seen={seen} />);
    }

    expect(new Set(seen).size).toBe(1);
    expect(new Set(seen.map(({ track }) => track)).size).toBe(1);
    expect(new Set(seen.map(({ flush }) => flush)).size).toBe(1);
  });

  it("has one client under StrictMode, and loses nothing that is tracked while it mounts twice", async () => {
    const { transport, storage, sessionId } = browser();
    const listeners = vi.spyOn(document, "addEventListener");
    await render(
      <StrictMode>
        <Exam sessionId={sessionId} options={{ transport, storage }}>
          {(telemetry) => <Question telemetry={telemetry} />}
        </Exam>
      </StrictMode>,
    );
    hidePage();
    await moment();

    expect(listeners.mock.calls.filter(([type]) => type === "visibilitychange")).toHaveLength(1);
    expect(eventsOf(transport).map(({ seq, event_type }) => [seq, event_type])).toEqual([
      [1, "QUESTION_VIEWED"],
      [2, "NAVIGATE_NEXT"], // StrictMode's own unmount
      [3, "QUESTION_VIEWED"],
    ]);
  });

  it("is closed on unmount, after what children tracked last", async () => {
    const { transport, storage, sessionId } = browser();
    await render(
      <Exam sessionId={sessionId} options={{ transport, storage }}>
        {(telemetry) => <Question telemetry={telemetry} />}
      </Exam>,
    );
    await unmount();
    await moment();

    expect(seqsOf(transport)).toEqual([1, 2]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("sends what is tracked after unmount, and is closed again soon", async () => {
    const { transport, storage, sessionId } = browser();
    const onDrop = vi.fn();
    const seen: Telemetry[] = [];
    await render(<Exam sessionId={sessionId} options={{ transport, storage, onDrop }} seen={seen} />);
    await unmount();
    await moment();

    seen[0]?.track("QUESTION_VIEWED", { pos: 1 });
    seen[0]?.track("QUESTION_VIEWED", { pos: 2 });
    await vi.advanceTimersByTimeAsync(12_500);

    expect(eventsOf(transport).map(({ payload }) => payload)).toEqual([{ pos: 1 }, { pos: 2 }]);
    expect(onDrop).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each(["hidden at first", "hidden later"])(
    "keeps and sends what a tree tracks that React hides: %s",
    async (when) => {
      const { transport, storage, sessionId } = browser();
      const onDrop = vi.fn();
      const seen: Telemetry[] = [];
      const page = (mode: "hidden" | "visible") => (
        <Activity mode={mode}>
          <Exam sessionId={sessionId} options={{ transport, storage, onDrop }} seen={seen} />
        </Activity>
      );
      if (when === "hidden later") await render(page("visible"));
      await render(page("hidden"));
      await moment();

      seen.at(-1)?.track("QUESTION_VIEWED", { pos: 1 });
      await vi.advanceTimersByTimeAsync(13_000);
      seen.at(-1)?.track("QUESTION_VIEWED", { pos: 2 });
      await render(page("visible"));
      seen.at(-1)?.track("QUESTION_VIEWED", { pos: 3 });
      await unmount();
      await moment();

      expect(positionsOf(storedOf(transport))).toEqual([1, 2, 3]);
      expect(onDrop).not.toHaveBeenCalled();
    },
  );

  it("closes one session when another takes its place", async () => {
    const [one, two] = [browser(), browser()];
    const seen: Telemetry[] = [];
    const exam = ({ transport, storage, sessionId }: typeof one) => (
      <Exam sessionId={sessionId} options={{ transport, storage }} seen={seen} />
    );
    await render(exam(one));
    seen.at(-1)?.track("QUESTION_VIEWED", { pos: 1 });
    await render(exam(two));
    seen.at(-1)?.track("QUESTION_VIEWED", { pos: 2 });
    await moment();

    expect(seqsOf(one.transport)).toEqual([1]);
    await unmount();
    await moment();
    expect(eventsOf(two.transport).map(({ session_id }) => session_id)).toEqual([two.sessionId]);
    expect(eventsOf(two.transport).map(({ payload }) => payload)).toEqual([{ pos: 2 }]);
  });

  it("asks the latest token and tells the latest onDrop", async () => {
    const { transport, storage, sessionId } = browser();
    const [onDrop, onError, seen] = [vi.fn(), vi.fn(), [] as Telemetry[]];
    const exam = (token: string, more: TelemetryOptions = {}) => (
      <Exam sessionId={sessionId} options={{ transport, storage, token: () => token, ...more }} seen={seen} />
    );
    await render(exam("old"));
    await render(exam("new", { onDrop, onError }));
    transport.answer({ kind: "refused", status: 401 });

    seen[0]?.track("QUESTION_VIEWED", { pos: 1 });
    seen[0]?.track("QUESTION_VIEWED", [] as never);
    await act(async () => {
      const flushed = seen[0]?.flush();
      await moment();
      await flushed;
    });

    expect(transport.requests.map(({ token }) => token)).toEqual(["new"]);
    expect(onDrop.mock.calls).toEqual([["invalid", 1]]);
    expect(onError.mock.calls).toEqual([[{ kind: "unauthorized", status: 401 }]]);
  });

  it("begins another stream when the session's page is left and opened again", async () => {
    const { transport, storage, sessionId } = browser();
    function Pages() {
      const [isOpen, setOpen] = useState(true);
      return (
        <>
          <button type="button" onClick={() => setOpen(!isOpen)} />
          {isOpen && (
            <Exam sessionId={sessionId} options={{ transport, storage }}>
              {(telemetry) => <Question telemetry={telemetry} />}
            </Exam>
          )}
        </>
      );
    }
    const container = document.createElement("div");
    root = createRoot(container);
    await render(<Pages />);
    for (let turn = 0; turn < 3; turn++) {
      await act(async () => container.querySelector("button")?.click());
      await moment();
    }
    await unmount();
    await moment();

    expect(seqsOf(transport)).toEqual([...upTo(2), ...upTo(2)]);
    expect(new Set(transport.accepted.map(({ stream_id }) => stream_id)).size).toBe(2);
  });

  it("renders on a server without a client", () => {
    const transport = memoryTransport();
    const html = renderToString(
      <Exam sessionId="01890a5d-ac96-774b-bcce-b302099a8057" options={{ transport, storage: memoryStorage() }}>
        {() => <p>Question 1</p>}
      </Exam>,
    );

    expect(html).toBe("<p>Question 1</p>");
    expect(vi.getTimerCount()).toBe(0);
  });
});
