import { type ReactNode, useState } from "react";
import { useApi } from "../../api/api-context";
import type { DeadLetterInList, DeadLetterPage } from "../../api/types";
import { useAnswer } from "../../api/use-answer";
import { go } from "../../route";
import { Answered, Empty } from "../../shell/states";
import { count } from "../../words";
import { lettersHref, REASONS, STATES } from "./letter-query";
import { Replay } from "./replay";
import { isSettled, outcomeText, stateText } from "./replay-words";
import { Select } from "./select";
import { moment, spoken } from "./words";

interface LetterListProps {
  query: URLSearchParams;
  mayReplay: boolean;
}

export function LetterList({ query, mayReplay }: LetterListProps) {
  const api = useApi();
  const [reason, state, after] = [query.get("reason"), query.get("state"), query.get("after")];
  const answer = useAnswer(`letters ${query}`, () => api.deadLetters({ reason, state, after }));
  const filter = (name: string, value: string) => go(lettersHref(query, { [name]: value, after: null }));
  return (
    <>
      <p className="quiet lead">
        A dead letter is a record that came and could not be stored as an event. It is kept, with the reason. A replay
        puts it through the same checks once more.
      </p>
      <fieldset className="filters">
        <legend className="visually-hidden">Which dead letters</legend>
        <Select label="Reason" value={reason} options={REASONS} onChange={(value) => filter("reason", value)} />
        <Select label="State" value={state} options={STATES} onChange={(value) => filter("state", value)} />
      </fieldset>
      <Answered answer={answer}>
        {(page) => <Letters page={page} query={query} mayReplay={mayReplay} again={answer.again} />}
      </Answered>
    </>
  );
}

function Letters({ page, query, mayReplay, again }: LetterListProps & { page: DeadLetterPage; again: () => void }) {
  const [chosen, setChosen] = useState<readonly number[]>([]);
  if (!page.letters.length && !chosen.length) return <Empty>{nothing(query)}</Empty>;
  const open = page.letters.filter((letter) => !isSettled(letter)).map((letter) => letter.id);
  const meant = chosen.filter((id) => open.includes(id));
  const toggle = (id: number) =>
    setChosen((before) => (before.includes(id) ? before.filter((each) => each !== id) : [...before, id]));
  return (
    <>
      <section className="card panel" aria-labelledby="letters">
        <h2 id="letters">{page.total === 1 ? "1 dead letter" : `${count(page.total)} dead letters`}</h2>
        <ByReason page={page} />
        <ul className="letters">
          {page.letters.map((letter) => (
            <Letter key={letter.id} letter={letter} query={query}>
              {mayReplay && open.includes(letter.id) && (
                <label className="choose">
                  <input type="checkbox" checked={meant.includes(letter.id)} onChange={() => toggle(letter.id)} />
                  <span className="visually-hidden">Choose dead letter {letter.id}</span>
                </label>
              )}
            </Letter>
          ))}
        </ul>
        <Pages page={page} query={query} />
      </section>
      {mayReplay && (open.length > 0 || chosen.length > 0) && (
        <section className="card panel" aria-labelledby="replay-chosen">
          <h2 id="replay-chosen">Replay</h2>
          <div className="actions">
            <button type="button" className="link" onClick={() => setChosen(open)}>
              Choose all open ones of this page
            </button>
            {meant.length > 0 && (
              <button type="button" className="link" onClick={() => setChosen([])}>
                Choose none
              </button>
            )}
          </div>
          <Replay key={chosen.join()} ids={meant} onApplied={again} />
        </section>
      )}
    </>
  );
}

function ByReason({ page }: { page: DeadLetterPage }) {
  const reasons = Object.entries(page.by_reason);
  if (reasons.length < 2) return null;
  return (
    <p className="quiet">{reasons.map(([reason, letters]) => `${count(letters)} ${spoken(reason)}`).join(", ")}</p>
  );
}

interface LetterProps {
  letter: DeadLetterInList;
  query: URLSearchParams;
  children: ReactNode;
}

function Letter({ letter, query, children }: LetterProps) {
  return (
    <li className="letter">
      {children}
      <div>
        <p>
          <a href={lettersHref(query, { letter: letter.id })}>Dead letter {letter.id}</a>{" "}
          <span className="letter-reason">{spoken(letter.reason)}</span>
          {letter.event_type && <code className="letter-type">{letter.event_type}</code>}
        </p>
        <p className="fine-print">
          {moment(letter.first_seen_at)}, partition {letter.partition}, offset {letter.record_offset}.{" "}
          {stateText(letter)}
          {letter.outcome && ` (${outcomeText(letter.outcome)})`}
        </p>
      </div>
    </li>
  );
}

function Pages({ page, query }: { page: DeadLetterPage; query: URLSearchParams }) {
  const isFirst = query.get("after") === null;
  if (isFirst && page.next === null) return null;
  return (
    <nav aria-label="Pages of dead letters" className="actions">
      {!isFirst && <a href={lettersHref(query, { after: null })}>Newest</a>}
      {page.next !== null && <a href={lettersHref(query, { after: page.next })}>Older</a>}
    </nav>
  );
}

function nothing(query: URLSearchParams): string {
  if (query.get("after")) return "No older dead letter fits.";
  return query.get("reason") || query.get("state")
    ? "No dead letter fits."
    : "There is no dead letter: every record that was read is stored.";
}
