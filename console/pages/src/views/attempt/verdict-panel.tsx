import type { Attempt } from "../../api/types";
import { followsFrom, headline } from "./verdict-words";

const SAYS_THE_HEADLINE = /^The log is /; // the CSV has the sentences without a heading

/** What the audit says of the log, before anything is read out of it. */
export function VerdictPanel({ attempt: { verdict, summary }, isOwn }: { attempt: Attempt; isOwn: boolean }) {
  return (
    <section className="card panel verdict" data-complete={verdict.is_complete} aria-labelledby="verdict">
      <h2 id="verdict">{headline(verdict, summary.log_reason)}</h2>
      <p>{followsFrom(verdict, summary.log_reason, isOwn)}</p>
      <ul className="quiet">
        {verdict.sentences
          .filter((sentence) => !SAYS_THE_HEADLINE.test(sentence))
          .map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
      </ul>
    </section>
  );
}
