import type { TelemetryClient } from "./client.js";
import { quietly } from "./quietly.js";
import { stopwatch } from "./stopwatch.js";

/** A click into a frame takes the focus from the window before the document has it again. */
const SETTLE_MS = 200;
/** What happens while the focus is in a frame raises no event here. */
const LOOK_EVERY_MS = 1000;
/** For who tabs from the page into the browser's own controls, before that counts as being away. */
const CONTROLS_MS = 10_000;

interface Loss {
  elapsed: () => number | undefined;
  patienceMs: number;
}

/**
 * Reports with PAUSE_BLUR that the candidate went away and came back: one pair per absence, over a reload of the tab,
 * too. Away is who hides the page or has the focus elsewhere for 0.2 s; not who is in a frame of the page, nor who tabs
 * through the browser's controls for less than 10 s. `away_ms` is left out when it is not known. Returns a
 * function that stops watching.
 */
export function watchAbsence(track: TelemetryClient["track"], sessionId: string): () => void {
  const key = `attemptlog-away:${sessionId}`;
  let isAway = typeof quietly(() => sessionStorage.getItem(key)) === "string";
  let loss: Loss | undefined;
  let isUnloading = false;
  let isInFrame = false;
  let tabbedAt = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function look(): void {
    clearTimeout(timer);
    if (isUnloading) return;
    if (isHere()) returned();
    else if (!isAway) lose();
    if (!isHidden()) timer = setTimeout(look, loss && !isAway ? SETTLE_MS : LOOK_EVERY_MS);
  }

  function lose(): void {
    loss ??= { elapsed: stopwatch(), patienceMs: hasTabbedOut() ? CONTROLS_MS : SETTLE_MS };
    const isOver = (loss.elapsed() ?? Number.POSITIVE_INFINITY) >= loss.patienceMs;
    if (!isHidden() && !isOver) return;
    isAway = true;
    quietly(() => sessionStorage.setItem(key, ""));
    track("PAUSE_BLUR", { state: "blur" });
  }

  function returned(): void {
    const away = loss?.elapsed();
    loss = undefined;
    isInFrame = document.activeElement instanceof HTMLIFrameElement;
    if (!isAway) return;
    isAway = false;
    quietly(() => sessionStorage.removeItem(key));
    track("PAUSE_BLUR", { state: "focus", ...(away === undefined ? {} : { away_ms: away }) });
  }

  /** From the page's last element; or from a frame's, whose keys are not seen here, but then no element has the focus. */
  function hasTabbedOut(): boolean {
    return performance.now() - tabbedAt < SETTLE_MS || (isInFrame && document.activeElement === document.body);
  }

  function onFocus(event: Event): void {
    if (!(event.target instanceof Element)) look(); // a capturing listener sees those of elements, too
  }

  function onKey({ key, altKey, ctrlKey, metaKey }: KeyboardEvent): void {
    if (key === "Tab" && !altKey && !ctrlKey && !metaKey) tabbedAt = performance.now();
  }

  // A reload hides the page after pagehide, and closing it is no pause.
  function onPage({ type, persisted }: PageTransitionEvent): void {
    isUnloading = type === "pagehide";
    if (persisted) look(); // back from the back button's cache
  }

  // Capturing, so that the event is tracked before the telemetry client, which listens too, sends what it has.
  const watching = new AbortController();
  const options = { capture: true, signal: watching.signal };
  for (const type of ["blur", "focus"]) addEventListener(type, onFocus, options);
  for (const type of ["pagehide", "pageshow"] as const) addEventListener(type, onPage, options);
  addEventListener("keydown", onKey, options);
  document.addEventListener("visibilitychange", look, options);
  if (isAway || isHere()) look();
  return () => {
    watching.abort();
    clearTimeout(timer);
  };
}

const isHidden = () => document.visibilityState === "hidden";
const isHere = () => !isHidden() && document.hasFocus();
