import type { ReactNode } from "react";
import type { TimelineLine } from "../../api/types";
import { duration } from "../../words";
import { boundText, type Clock } from "./clock";
import { eventWords, type Telling, type Words } from "./event-words";
import { lineWords, noteWords } from "./fault-words";
import { CAME_LATE_MS, cameLaterBy, type Note, type Row } from "./notes";

const LANES = { page: "Page", service: "Service" };

export function TimelineRow({ row: { line, load }, telling, clock }: { row: Row; telling: Telling; clock: Clock }) {
  const lane = line.origin ?? "page";
  return (
    <li className="timeline-line" data-lane={lane} data-kind={line.kind}>
      <Moment line={line} clock={clock} />
      <div className="line-body">
        <span className="lane-tag">{LANES[lane]}</span>
        <Sentences words={lineWords(line, telling, eventWords)}>
          <Meta line={line} load={load} />
        </Sentences>
      </div>
    </li>
  );
}

export function TimelineNote({ note }: { note: Note }) {
  return (
    <li className="timeline-line" data-lane="page" data-kind="note">
      <div className="line-body">
        <Sentences words={noteWords(note)} />
      </div>
    </li>
  );
}

function Sentences({ words: { what, meaning }, children }: { words: Words; children?: ReactNode }) {
  return (
    <>
      <p className="line-what">{what}</p>
      {children}
      {meaning && <p className="line-meaning">{meaning}</p>}
    </>
  );
}

function Moment({ line, clock }: { line: TimelineLine; clock: Clock }) {
  if (line.at === null) return <UnknownMoment line={line} clock={clock} />;
  const bound = line.kind === "event" ? boundText(line.late_by_ms) : "";
  return (
    <div className="line-when">
      <time dateTime={line.at} title={utc(line.at)}>
        <span className="line-since">{clock.since(line.at)}</span>{" "}
        <span className="line-absolute">{clock.time(line.at)}</span>
      </time>
      {bound && <span className="line-bound">{bound}</span>}
    </div>
  );
}

function UnknownMoment({ line, clock }: { line: TimelineLine; clock: Clock }) {
  return (
    <div className="line-when">
      {line.event_ts ? (
        <time dateTime={line.event_ts} title={utc(line.event_ts)}>
          <span className="line-bound">came</span> <span className="line-absolute">{clock.time(line.event_ts)}</span>
        </time>
      ) : (
        <span className="line-bound">time not known</span>
      )}
    </div>
  );
}

/** Its number, which load of the page it is of, and how late it came. */
function Meta({ line, load }: { line: TimelineLine; load: number | null }) {
  const later = cameLaterBy(line) ?? 0;
  const parts = [
    line.kind === "event" && line.seq !== null && `no. ${line.seq}`,
    load !== null && load > 1 && `load ${load}`,
    later >= CAME_LATE_MS && `came ${duration(later)} later`,
  ].filter(Boolean);
  return parts.length > 0 && <p className="line-meta">{parts.join(" · ")}</p>;
}

function utc(at: string): string {
  return new Date(at).toISOString().replace("T", " ").replace("Z", " UTC");
}
