import { useState } from "react";
import type { ApiResult, Failure } from "../../api/api";
import { useApi } from "../../api/api-context";
import type { Audit } from "../../api/types";
import { useAnswer } from "../../api/use-answer";
import { Answered, Empty } from "../../shell/states";
import { count } from "../../words";
import { moment } from "./words";

/** The last audit, and one more. */
export function AuditPart() {
  const api = useApi();
  const last = useAnswer("audit", async () => noneYet(await api.audit()));
  const [isRunning, setRunning] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const run = async () => {
    setRunning(true);
    const answer = await api.runAudit();
    setRunning(false);
    setFailure(answer.ok ? undefined : answer);
    last.again();
  };
  return (
    <>
      <p className="quiet lead">
        An audit compares Kafka, the ledger and the tables: every record of the topic has to be an event, a duplicate of
        one, a dead letter, or suppressed because its person was purged. It takes as long as counting the events does.
      </p>
      <button type="button" className="primary" disabled={isRunning} onClick={run}>
        Audit now
      </button>
      <p role="status">{isRunning ? "Auditing …" : failure && failureText(failure)}</p>
      <Answered answer={last}>
        {(audit) => (audit ? <Verdict audit={audit} /> : <Empty>Nobody has audited since the console started.</Empty>)}
      </Answered>
    </>
  );
}

/** That there is no audit yet is an answer. */
function noneYet(answer: ApiResult<Audit>): ApiResult<Audit | null> {
  return !answer.ok && answer.status === 404 ? { ok: true, value: null } : answer;
}

function Verdict({ audit }: { audit: Audit }) {
  return (
    <section className="card panel" aria-labelledby="verdict">
      <h2 id="verdict">{audit.agrees ? "All records are accounted for" : "Something does not agree"}</h2>
      <p className="quiet">As of {moment(audit.at)}.</p>
      <dl className="figures">
        {accounts(audit).map(([name, records]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{count(records)}</dd>
          </div>
        ))}
      </dl>
      {audit.problems.length > 0 && (
        <ul className="problems">
          {audit.problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

function accounts(audit: Audit): [string, number][] {
  return [
    ["records read", audit.records],
    ["stored as events", audit.inserted],
    ["duplicates of these", audit.duplicates],
    ["dead letters", audit.dead_lettered],
    ["suppressed", audit.suppressed],
    ["waiting to be stored", audit.pending],
  ];
}

function failureText(failure: Failure): string {
  return failure.detail || "The audit did not come to an end: the console did not answer.";
}
