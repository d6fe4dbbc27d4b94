import { useTelemetry } from "attemptlog-client/react";
import { useCallback } from "react";
import { useApi } from "../api-context";
import type { Page } from "../route";
import type { LoadedSession } from "../session-loader";
import { useFlag } from "../use-flag";
import { BrandMark } from "./brand-mark";
import { Countdown } from "./countdown";
import { LivePanel } from "./live-panel";
import { OpenExam } from "./open-exam";
import { Result } from "./result";
import { Switch } from "./switch";

interface RoomProps {
  loaded: LoadedSession;
  page: Page;
  refresh: () => void;
}

/** One session with its telemetry, which also sends what an earlier visit left, be the exam open or over. */
export function Room({ loaded, page, refresh }: RoomProps) {
  const { session, telemetryUrl } = loaded;
  const telemetry = useTelemetry(session.id, { endpoint: telemetryUrl });
  const [isLive, setLive] = useFlag("live", true);
  const isOpen = session.state === "open";
  return (
    <div className={isLive ? "room room-live" : "room"}>
      <header className="bar">
        <h1>
          <BrandMark />
          {session.exam.title}
        </h1>
        {isOpen && <Countdown loaded={loaded} onUp={refresh} />}
        <Switch label="Live events" isOn={isLive} onChange={setLive} />
      </header>
      <div className="columns">
        {isOpen ? <OpenExam {...{ session, page, telemetry, refresh }} /> : <Result session={session} />}
        {isLive && <Live sessionId={session.id} />}
      </div>
    </div>
  );
}

function Live({ sessionId }: { sessionId: string }) {
  const api = useApi();
  return <LivePanel fetchEvents={useCallback(() => api.events(sessionId), [api, sessionId])} />;
}
