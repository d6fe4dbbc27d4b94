import { useEffect, useState } from "react";
import { useApi } from "../api-context";
import { untilAnswered } from "../retry";

const STAFF = ["examiner", "operator", "auditor"] as const;

/** The ways to attemptlog's console for those who are not candidates, where there is one. */
export function StaffLinks() {
  if (!useHasConsole()) return null;
  return (
    <nav className="console-links fine-print" aria-label="Console">
      <span>What was recorded, as</span>
      {STAFF.map((each) => (
        <a key={each} href={`/console?as=${each}`}>
          {each}
        </a>
      ))}
    </nav>
  );
}

/** The way to the records of a candidate's own session. */
export function RecordLink({ sessionId }: { sessionId: string }) {
  return useHasConsole() && <a href={`/console?to=/sessions/${sessionId}`}>What was recorded of this exam</a>;
}

function useHasConsole(): boolean {
  const api = useApi();
  const [hasConsole, setHasConsole] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    void untilAnswered(api.config, stop.signal).then((answer) =>
      setHasConsole(!!answer?.ok && answer.value.has_console),
    );
    return () => stop.abort();
  }, [api]);
  return hasConsole;
}
