import type { ReactNode } from "react";
import type { ApiResult, StoredEvent, StoredEvents } from "../api";
import { compact, reporter, useLiveEvents } from "../live-events";

/** The events of this session as they arrive in PostgreSQL. */
export function LivePanel({ fetchEvents }: { fetchEvents: () => Promise<ApiResult<StoredEvents>> }) {
  const { isConnected, stored } = useLiveEvents(fetchEvents);
  return (
    <section className="card live" aria-labelledby="live-title">
      <div className="live-head">
        <h2 id="live-title">Live events</h2>
        <span className={isConnected ? "live-state" : "live-state live-state-off"}>
          {isConnected ? "live" : "no connection"}
        </span>
        <span className="live-total" data-testid="stored-total">
          {stored.total} stored
        </span>
      </div>
      <p className="fine-print">
        Read from PostgreSQL every second, after the way through Kafka. The page sends when it has ten events, or every
        twelve seconds; the service sends right away.
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
      <ol className="live-list" aria-label="Stored events, newest first" tabIndex={0}>
        {stored.events.map((event) => (
          <Row key={event.id} event={event} />
        ))}
      </ol>
      {stored.total === 0 && <p className="quiet">Nothing yet.</p>}
    </section>
  );
}

function Row({ event }: { event: StoredEvent }) {
  const by = reporter(event.source);
  return (
    <li data-testid="stored-event">
      <span className="live-seq" title="Number within one load of the page">
        {event.seq ?? "–"}
      </span>
      <span className="live-type">{inWords(event.event_type)}</span>
      <span className={`badge badge-${by}`}>{by}</span>
      <span className="live-payload">{compact(event.payload)}</span>
      <span className="live-age">stored after {formatMs(event.stored_after_ms)}</span>
    </li>
  );
}

/** Lets a narrow line break between the words of a name, such as MARK_FOR_REVIEW_TOGGLED. */
function inWords(name: string): ReactNode[] {
  return name.split(/(?<=_)/).flatMap((word) => [word, <wbr key={word} />]);
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
