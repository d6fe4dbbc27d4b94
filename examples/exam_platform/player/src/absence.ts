import type { Track } from "./journey";
import type { Slot } from "./remembered";

/**
 * Reports that the candidate went away and came back: one pair per absence, over a reload too, because `memory` (the
 * tab's own) holds when it began. `now` returns milliseconds since the epoch. Returns a function that stops watching.
 */
export function watchAbsence(track: Track, memory: Slot, now: () => number = Date.now): () => void {
  const stored = memory.read();
  let awaySince = stored === null ? undefined : Number(stored);
  let isUnloading = false;

  function setAway(since: number | undefined): void {
    awaySince = since;
    memory.write(since === undefined ? null : String(since));
  }

  function leave(): void {
    if (isUnloading || awaySince !== undefined) return;
    setAway(now());
    track("PAUSE_BLUR", { state: "blur" });
  }

  function comeBack(): void {
    if (awaySince === undefined) return;
    const away = Math.max(0, Math.round(now() - awaySince));
    setAway(undefined);
    track("PAUSE_BLUR", { state: "focus", away_ms: away });
  }

  function onFocus(event: Event): void {
    if (event.target instanceof Element) return; // a capturing listener sees those, too, and they are no absence
    if (event.type === "blur") leave();
    else comeBack();
  }

  function onVisibility(): void {
    if (document.visibilityState === "hidden") leave();
    else if (document.hasFocus()) comeBack();
  }

  // A reload hides the page after pagehide, and closing it is no pause.
  const onPageHide = () => {
    isUnloading = true;
  };
  const onPageShow = () => {
    isUnloading = false;
  };

  // Capturing, so that the event is tracked before the telemetry client, which listens too, sends what it has.
  const stop = new AbortController();
  const options = { capture: true, signal: stop.signal };
  window.addEventListener("blur", onFocus, options);
  window.addEventListener("focus", onFocus, options);
  window.addEventListener("pagehide", onPageHide, options);
  window.addEventListener("pageshow", onPageShow, options);
  document.addEventListener("visibilitychange", onVisibility, options);
  if (document.visibilityState === "visible" && document.hasFocus()) comeBack();
  return () => stop.abort();
}
