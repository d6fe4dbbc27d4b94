import type { Attempt } from "../../api/types";
import { followsFrom } from "./verdict-words";

/** What the audit says of the log, before anything is read out of it. */
export function VerdictPanel({ attempt: { verdict, summary }, isOwn }: { attempt: Attempt; isOwn: boolean }) {
  const [first, ...others] = verdict.sentences;
  return (
    <section className="card panel verdict" data-complete={verdict.is_complete} aria-labelledby="verdict">
      <h2 id="verdict">{first ?? (verdict.is_complete ? "This log is complete." : "This log is not complete.")}</h2>
      {others.length > 0 && (
        <ul>
          {others.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
      <p className="quiet">{followsFrom(verdict.is_complete ? null : summary.log_reason, isOwn)}</p>
    </section>
  );
}
