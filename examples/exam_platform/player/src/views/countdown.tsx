import { useEffect, useState } from "react";
import { formatRemaining, msToNextSecond, urgencyOf, WARNINGS } from "../countdown";
import type { LoadedSession } from "../session-loader";
import { ClockIcon } from "./icons";

const ASK_AFTER_MS = 500; // past the end, so that the service's clock is there as well

interface CountdownProps {
  loaded: LoadedSession;
  /** The time is up. Called again when the session that is loaded upon it is still open. */
  onUp: () => void;
}

export function Countdown({ loaded, onUp }: CountdownProps) {
  const remaining = useRemaining(loaded.deadline);
  const isUp = remaining <= 0;

  // biome-ignore lint/correctness/useExhaustiveDependencies: loaded anew is asked anew
  useEffect(() => {
    if (!isUp) return;
    const timer = setTimeout(onUp, ASK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [isUp, loaded, onUp]);

  const urgency = urgencyOf(remaining);
  return (
    <div className={`countdown countdown-${urgency}`}>
      <ClockIcon />
      <span role="timer" aria-label="Time left" aria-live="off">
        {formatRemaining(remaining)}
      </span>
      <span className="visually-hidden" aria-live="polite">
        {isUp ? "The time is up" : WARNINGS[urgency]}
      </span>
    </div>
  );
}

function useRemaining(deadline: number): number {
  const [now, setNow] = useState(Date.now);
  const remaining = deadline - now;
  useEffect(() => {
    if (remaining <= 0) return;
    const timer = setTimeout(() => setNow(Date.now()), msToNextSecond(remaining));
    return () => clearTimeout(timer);
  }, [remaining]);
  return Math.max(0, remaining);
}
