import type { Completion, Exam } from "../../api/types";
import { count, percent, reasonText } from "../../words";
import type { Behind } from "./behind";
import { Linked, Means } from "./panel";

const COMPLETIONS: readonly Completion[] = ["submitted", "expired", "open", "unknown"];

interface SessionsPanelProps {
  exam: Exam;
  behind: Behind;
}

/** How many there are, how they ended, and of how many the log is complete. */
export function SessionsPanel({ exam, behind }: SessionsPanelProps) {
  const { sessions } = exam.coverage;
  return (
    <section className="card panel" aria-labelledby="sessions-panel">
      <h2 id="sessions-panel">Sessions</h2>
      <dl className="figures">
        <div>
          <dt>in all</dt>
          <dd>
            <Linked to={behind({})}>{count(sessions)}</Linked>
          </dd>
        </div>
        {COMPLETIONS.map((completion) => (
          <div key={completion}>
            <dt>{completion}</dt>
            <dd>
              <Linked to={behind({ completion })} zero={exam.completion[completion] === 0}>
                {count(exam.completion[completion])}
              </Linked>{" "}
              <span className="share">{percent(exam.completion[completion] / sessions)}</span>
            </dd>
          </div>
        ))}
      </dl>
      <Means meaning="completion" />
      <CoverageOf exam={exam} behind={behind} />
    </section>
  );
}

function CoverageOf({ exam, behind }: SessionsPanelProps) {
  const { sessions, complete, reasons } = exam.coverage;
  const others = Object.entries(reasons).toSorted(([, one], [, other]) => other - one);
  return (
    <div className="coverage">
      <p>
        <Linked to={behind({ complete: true })} zero={complete === 0}>
          {count(complete)} of {count(sessions)}
        </Linked>{" "}
        {sessions === 1 ? "log is" : "logs are"} complete.
        {others.length > 0 && " The others are not, because:"}
      </p>
      {others.length > 0 && (
        <ul>
          {others.map(([reason, number]) => (
            <li key={reason}>
              <Linked to={behind({ complete: false, reason })}>{count(number)}</Linked> {reasonText(reason)}
            </li>
          ))}
        </ul>
      )}
      <Means meaning="coverage" />
    </div>
  );
}
