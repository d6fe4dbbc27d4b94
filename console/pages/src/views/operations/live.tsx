import { Fragment, useState } from "react";
import type { LiveEvent } from "../../api/types";
import { Empty, Loading, Unreachable } from "../../shell/states";
import { count } from "../../words";
import { type LiveFilter, LiveFilters, NO_FILTER } from "./live-filters";
import { type LiveList, MOST_LISTED } from "./live-list";
import { useLive } from "./use-live";
import { moment, reporter, span } from "./words";

export function LivePart() {
  const [filter, setFilter] = useState<LiveFilter>(NO_FILTER);
  const [isPaused, setPaused] = useState(false);
  return (
    <>
      <p className="quiet lead">
        Events as they are stored, without the person and without what they contain. At most {MOST_LISTED} are listed.
      </p>
      <LiveFilters filter={filter} onChange={setFilter} />
      <button type="button" className="secondary" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
        {isPaused ? "Go on" : "Pause"}
      </button>
      <Followed key={JSON.stringify(filter)} filter={filter} isPaused={isPaused} />
    </>
  );
}

function Followed({ filter, isPaused }: { filter: LiveFilter; isPaused: boolean }) {
  const { list, failure, isLoading, again } = useLive({ ...filter }, isPaused);
  if (isLoading) return isPaused ? <Empty>Paused before the first look.</Empty> : <Loading />;
  if (failure && list.cursor === null) {
    return failure.detail && failure.status < 500 ? <Empty>{failure.detail}</Empty> : <Unreachable again={again} />;
  }
  return (
    <section className="card panel live" aria-labelledby="live">
      <h2 id="live">{isPaused ? "Paused" : "Following"}</h2>
      {failure && <p className="late">The last look failed; it is tried again every second.</p>}
      <Notes list={list} isPaused={isPaused} />
      {list.events.length ? (
        <EventTable events={list.events} />
      ) : (
        <p className="quiet">No event that fits was stored yet.</p>
      )}
    </section>
  );
}

const NOTED_LATE_S = 5; // a transaction that stores a batch takes less

function Notes({ list, isPaused }: { list: LiveList; isPaused: boolean }) {
  return (
    <div className="fine-print">
      <p>{isPaused ? "Nothing is asked while it is paused; it goes on from here." : "Newest first."}</p>
      {list.skipped > 0 && <p>{skippedText(list)}</p>}
      {list.lateByS !== null && list.lateByS > NOTED_LATE_S && (
        <p>
          A transaction that is still open keeps the list back: the oldest event that is stored and not listed yet has
          waited for {span(list.lateByS)}.
        </p>
      )}
    </div>
  );
}

function skippedText({ skipped, isMoreSkipped }: LiveList): string {
  const many = `${isMoreSkipped ? "More than " : ""}${count(skipped)}`;
  return `${many} ${skipped === 1 ? "event that fits is" : "events that fit are"} not listed: between two looks more came than a look shows.`;
}

/** The name, which a line may end in after any of its words. */
function breakable(name: string) {
  return name.split(/(?<=_)/).map((word) => (
    <Fragment key={word}>
      {word}
      <wbr />
    </Fragment>
  ));
}

function EventTable({ events }: { events: readonly LiveEvent[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section className="scroll live-events" tabIndex={0} aria-label="Stored events">
      <table>
        <thead>
          <tr>
            <th scope="col">Stored</th>
            <th scope="col">Event</th>
            <th scope="col">From</th>
            <th scope="col" className="wide-only">
              Happened
            </th>
            <th scope="col" className="wide-only">
              Exam
            </th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.id}>
              <td>
                <time dateTime={event.stored_at}>{moment(event.stored_at).slice(11, 19)}</time>
              </td>
              <td className="event-type">{breakable(event.event_type)}</td>
              <td>{reporter(event.source)}</td>
              <td className="wide-only">{moment(event.event_ts)}</td>
              <td className="wide-only id">{event.exam_id ?? "not known"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
