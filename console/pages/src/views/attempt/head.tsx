import type { ReactNode } from "react";
import { search } from "../../api/api";
import type { Attempt, Me } from "../../api/types";
import { hrefs } from "../../route";
import type { Clock } from "./clock";

interface AttemptHeadProps {
  attempt: Attempt;
  clock: Clock;
  me: Me;
  isOwn: boolean;
  why: string;
  again: () => void;
}

export function AttemptHead({ attempt, clock, me, isOwn, why, again }: AttemptHeadProps) {
  const { summary } = attempt;
  const last = summary.ended_at ?? summary.last_at;
  const csv = `/api/sessions/${encodeURIComponent(attempt.session_id)}/timeline.csv${search({ why })}`;
  return (
    <section className="card panel attempt-head" aria-label="Which attempt">
      <dl className="attempt-facts">
        <Fact name="Exam" isWide>
          <ExamName attempt={attempt} me={me} />
        </Fact>
        {!isOwn && (
          <Fact name="Candidate" isWide>
            {attempt.user_id}
          </Fact>
        )}
        <Fact name="Session" isWide>
          {attempt.session_id}
        </Fact>
        <Fact name="Began">{summary.began_at ? clock.moment(summary.began_at) : "nothing is stored"}</Fact>
        {last && <Fact name={summary.ended_at ? "Ended" : "Last event"}>{clock.moment(last)}</Fact>}
        <Fact name="Read">{clock.moment(attempt.read_at)}</Fact>
        <Fact name="Times are of">{clock.zone}</Fact>
      </dl>
      <div className="attempt-actions no-print">
        <a className="secondary" href={csv} download>
          Download CSV
        </a>
        <button type="button" className="secondary" onClick={() => window.print()}>
          Print
        </button>
        <button type="button" className="secondary" onClick={again}>
          Read again
        </button>
      </div>
    </section>
  );
}

function ExamName({ attempt: { exam_id, exam_title }, me }: { attempt: Attempt; me: Me }) {
  if (exam_id === null) return "none: its questions are not checked";
  const name = exam_title ?? exam_id;
  return me.role === "candidate" ? name : <a href={hrefs.exam(exam_id)}>{name}</a>;
}

function Fact({ name, isWide = false, children }: { name: string; isWide?: boolean; children: ReactNode }) {
  return (
    <div className={isWide ? "is-wide" : undefined}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
