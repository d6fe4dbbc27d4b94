import { useCallback, useEffect, useState } from "react";
import { flushSync } from "react-dom";
import type { Attempt } from "../../api/types";
import { count } from "../../words";
import type { Clock } from "./clock";
import { plural, type Telling } from "./event-words";
import type { Group } from "./groups";
import type { QuestionNames } from "./questions";
import { countRows, KINDS, type Kind, only } from "./shown";
import { TimelineGroup } from "./timeline-group";

const MOST_OPEN = 3_000; // lines; more of them take seconds to open, and nobody reads them from the first to the last

const KIND_TEXT: Record<Kind, string> = {
  all: "Everything",
  answers: "Answers",
  absences: "Absences",
  faults: "Gaps and faults",
};

interface TimelineProps {
  attempt: Attempt;
  groups: Group[];
  names: QuestionNames;
  clock: Clock;
  isOwn: boolean;
}

export function Timeline({ attempt, groups, names, clock, isOwn }: TimelineProps) {
  const [kind, setKind] = useState<Kind>("all");
  const [{ isOpen, round }, setOpening] = useState({ isOpen: attempt.lines.length <= MOST_OPEN, round: 0 });
  const open = useCallback((all: boolean) => setOpening((last) => ({ isOpen: all, round: last.round + 1 })), []);
  useEffect(() => beforePrint(() => flushSync(() => open(true))), [open]);
  const shown = only(kind, groups);
  const rows = countRows(shown);
  const telling: Telling = { names, absences: attempt.absences, isOwn };
  return (
    <section className="card panel timeline" aria-labelledby="timeline">
      <div className="timeline-head">
        <h2 id="timeline">What happened, in order</h2>
        <Filter kind={kind} onChange={setKind} />
        <button type="button" className="link no-print" onClick={() => open(!isOpen)}>
          {isOpen ? "Close all" : "Open all"}
        </button>
      </div>
      <p className="quiet" role="status">
        {kind === "all"
          ? `${plural(rows, "line")}, by the server's clock: since the beginning, and as it is in ${clock.zone}.`
          : `${KIND_TEXT[kind]} only: ${count(rows)} of ${plural(attempt.lines.length, "line")}.`}
      </p>
      {attempt.more_lines > 0 && (
        <p className="late">
          {plural(attempt.more_lines, "later line")} {attempt.more_lines === 1 ? "is" : "are"} not on this page.
        </p>
      )}
      <div className="lane-names" aria-hidden="true">
        <span>Time</span>
        <span>Page</span>
        <span>Service</span>
      </div>
      {shown.map((group) => (
        <TimelineGroup
          key={`${group.rows[0]?.index} ${round}`}
          group={group}
          isOpen={isOpen}
          telling={telling}
          clock={clock}
        />
      ))}
    </section>
  );
}

function Filter({ kind, onChange }: { kind: Kind; onChange: (kind: Kind) => void }) {
  return (
    <fieldset className="timeline-kinds no-print">
      <legend className="visually-hidden">Show</legend>
      {KINDS.map((each) => (
        <label key={each}>
          <input type="radio" name="kind" checked={kind === each} onChange={() => onChange(each)} />
          {KIND_TEXT[each]}
        </label>
      ))}
    </fieldset>
  );
}

/** What is closed would not be printed; it has to be there when this returns. */
function beforePrint(open: () => void): () => void {
  window.addEventListener("beforeprint", open);
  return () => window.removeEventListener("beforeprint", open);
}
