import { useApi } from "../../api/api-context";
import type { Operations } from "../../api/types";
import { useAnswer } from "../../api/use-answer";
import { hrefs } from "../../route";
import { Answered } from "../../shell/states";
import { count } from "../../words";
import type { History, Sample } from "./history";
import { Partitions } from "./partitions";
import { RateCard } from "./rate-card";
import { ReachList } from "./reach-list";
import { Refusals } from "./refusals";
import { isCurrent, moment, span, standing } from "./words";

const LOOK_EVERY_MS = 2_000;

export function Overview({ history }: { history: History }) {
  const api = useApi();
  const look = async () => {
    const answer = await api.operations();
    if (answer.ok) history.add(answer.value);
    return answer;
  };
  const answer = useAnswer("operations", look, LOOK_EVERY_MS);
  return <Answered answer={answer}>{(looked) => <Looked looked={looked} samples={history.samples()} />}</Answered>;
}

function Looked({ looked, samples }: { looked: Operations; samples: readonly Sample[] }) {
  return (
    <>
      <StandingNote looked={looked} />
      <div className="rates">
        <RateCard title="Events in" now={looked.events_in_per_s} samples={samples} of="events_in" />
        <RateCard title="Events stored" now={looked.events_stored_per_s} samples={samples} of="stored" />
      </div>
      <Facts looked={looked} />
      <Partitions looked={looked} />
      <Refusals looked={looked} />
      <ReachList looked={looked} />
    </>
  );
}

const STANDING_WORDS = { "on time": "On time", late: "Late", "not known": "Not known" };
const STANDING_CLASSES = {
  "on time": "standing standing-good",
  late: "standing standing-late",
  "not known": "standing",
};

/** A live region of its own: it is read out when what it says changes in kind, not with every figure. */
function StandingNote({ looked }: { looked: Operations }) {
  const { state, text } = standing(looked);
  return (
    <section className={STANDING_CLASSES[state]} aria-label="How late events are stored">
      <p>
        <strong>{STANDING_WORDS[state]}</strong> {text}
      </p>
      <p className="visually-hidden" role="status">
        Events are stored: {state}
      </p>
    </section>
  );
}

function Facts({ looked }: { looked: Operations }) {
  const letters = looked.dead_letters;
  const late = isCurrent(looked) ? looked.stored_late_by_s : null;
  return (
    <section className="card panel" aria-label="Now">
      <dl className="figures">
        <div>
          <dt>last event stored</dt>
          <dd className="figure-text">{moment(looked.last_event_at)}</dd>
        </div>
        <div>
          <dt>stored events are late by</dt>
          <dd>{late === null ? <Unknown /> : span(late)}</dd>
        </div>
        <div>
          <dt>
            <a href={hrefs.operations("dead-letters", "?state=open")}>open dead letters</a>
          </dt>
          <dd>{letters ? count(letters.open) : <Unknown />}</dd>
        </div>
        <div>
          <dt>
            <a href={hrefs.operations("dead-letters", "?state=settled")}>settled by a replay</a>
          </dt>
          <dd>{letters ? count(letters.settled) : <Unknown />}</dd>
        </div>
      </dl>
      <p className="fine-print">
        Topic {looked.topic}, looked at {moment(looked.at)}.
      </p>
    </section>
  );
}

function Unknown() {
  return <span className="unknown">not known</span>;
}
