import { watchAbsence } from "attemptlog-client/absence";
import { useTelemetry } from "attemptlog-client/react";
import { useEffect } from "react";
import { createRoot } from "react-dom/client";
import { SESSION, trackWithoutReact } from "./track.js";

function Page() {
  const { track, flush } = useTelemetry(SESSION, { token: () => undefined });

  useEffect(() => watchAbsence(track, SESSION), [track]);

  return (
    <button type="button" onClick={() => void flush().then(trackWithoutReact)}>
      Submit
    </button>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(<Page />);
