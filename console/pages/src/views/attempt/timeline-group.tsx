import { memo, useState } from "react";
import type { Clock } from "./clock";
import { capital, plural, type Telling } from "./event-words";
import type { Group, Place } from "./groups";
import type { QuestionNames } from "./questions";
import { TimelineNote, TimelineRow } from "./timeline-row";

interface TimelineGroupProps {
  group: Group;
  isOpen: boolean; // at first
  telling: Telling;
  clock: Clock;
}

export const TimelineGroup = memo(function TimelineGroup({ group, isOpen, telling, clock }: TimelineGroupProps) {
  const [isOpenNow, setIsOpenNow] = useState(isOpen);
  const title = group.place.kind === "visit" ? telling.names.title(group.place.questionId) : null;
  return (
    <details className="visit" open={isOpenNow} onToggle={(event) => setIsOpenNow(event.currentTarget.open)}>
      <summary>
        <h3>
          {placeText(group.place, telling.names)}
          {title && <span className="visit-title">{title}</span>}
        </h3>
        <span className="visit-size">
          {group.at && `${clock.since(group.at)} · `}
          {plural(group.rows.length, "line")}
        </span>
      </summary>
      {isOpenNow && (
        <ol className="timeline-lines">
          {group.rows.map((row) => (
            <RowWithNotes key={row.index} row={row} telling={telling} clock={clock} />
          ))}
        </ol>
      )}
    </details>
  );
});

function RowWithNotes({ row, telling, clock }: { row: Group["rows"][number]; telling: Telling; clock: Clock }) {
  return (
    <>
      {row.notes.map((note) => (
        <TimelineNote key={`${note.kind} ${note.load}`} note={note} />
      ))}
      <TimelineRow row={row} telling={telling} clock={clock} />
    </>
  );
}

export function placeText(place: Place, names: QuestionNames): string {
  switch (place.kind) {
    case "beginning":
      return "Before the first question";
    case "overview":
      return "Overview before handing in";
    case "end":
      return "The end";
    case "visit":
      return `${capital(names.name(place.questionId))}, visit ${place.visit}${place.goesOn ? " (goes on)" : ""}`;
  }
}
