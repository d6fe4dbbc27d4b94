import { type ReactNode, useState } from "react";
import { useApi } from "../../api/api-context";
import type { DeadLetter } from "../../api/types";
import { useAnswer } from "../../api/use-answer";
import { Answered } from "../../shell/states";
import { Comparison } from "./comparison";
import { lettersHref } from "./letter-query";
import { Replay } from "./replay";
import { isSettled, outcomeText, stateText } from "./replay-words";
import { moment, spoken } from "./words";

interface LetterDetailProps {
  id: number;
  query: URLSearchParams;
  mayReplay: boolean;
}

export function LetterDetail({ id, query, mayReplay }: LetterDetailProps) {
  const api = useApi();
  const answer = useAnswer(`letter ${id}`, () => api.deadLetter(id));
  const [isReplayed, setReplayed] = useState(false); // here and now: its outcome stays to be read
  const onApplied = () => {
    setReplayed(true);
    answer.again();
  };
  return (
    <>
      <p className="lead">
        <a href={lettersHref(query, { letter: null })}>All dead letters</a>
      </p>
      <Answered answer={answer}>
        {(letter) => (
          <>
            <Facts letter={letter} />
            <Comparison letter={letter} />
            {letter.value !== null && <Value value={letter.value} />}
            {mayReplay && (isReplayed || !isSettled(letter)) && (
              <section className="card panel" aria-labelledby="replay">
                <h2 id="replay">Replay</h2>
                <Replay ids={[id]} onApplied={onApplied} />
              </section>
            )}
          </>
        )}
      </Answered>
    </>
  );
}

function Facts({ letter }: { letter: DeadLetter }) {
  const replay = letter.outcome && `${outcomeText(letter.outcome)}, ${moment(letter.replayed_at)}`;
  return (
    <section className="card panel" aria-labelledby="letter">
      <h2 id="letter">
        Dead letter {letter.id}: {spoken(letter.reason)}
      </h2>
      <dl className="facts">
        <Fact name="State">{stateText(letter)}</Fact>
        {replay && <Fact name="Last replay">{replay}</Fact>}
        <Fact name="What the check said">{letter.detail ?? spoken(letter.reason)}</Fact>
        <Fact name="First seen">{moment(letter.first_seen_at)}</Fact>
        <Fact name="Record">
          {letter.topic}, partition {letter.partition}, offset {letter.record_offset}
        </Fact>
        <Fact name="Event type">{letter.event_type ?? "not one that the contract knows"}</Fact>
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Value({ value }: { value: string }) {
  return (
    <section className="card panel" aria-labelledby="value">
      <h2 id="value">The record's value</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard */}
      <pre className="scroll" tabIndex={0}>
        {value}
      </pre>
    </section>
  );
}
