import { useEffect, useState } from "react";
import type { Review, ReviewedQuestion, Session } from "../api";
import { useApi } from "../api-context";
import { unsavedSlot } from "../exam-hooks";
import { untilAnswered } from "../retry";
import { RecordLink } from "./console-links";
import { Heading } from "./heading";
import { CheckIcon, CrossIcon, DashIcon } from "./icons";

/** What became of a session that is over. */
export function Result({ session }: { session: Session }) {
  const review = useReview(session.id);
  const isExpired = session.state === "expired";
  return (
    <main>
      <section className="card result">
        <Heading level={2} pageKey="result" title={`Result – ${session.exam.title}`}>
          {isExpired ? "The time is up" : "Your exam is handed in"}
        </Heading>
        {review ? <Score review={review} /> : <p role="status">Loading your result…</p>}
        <ol className="rows">
          {review?.questions.map((question) => (
            <Row key={question.id} question={question} />
          ))}
        </ol>
        <p className="start-links">
          <a href="#/">To the start page</a>
          <RecordLink sessionId={session.id} />
        </p>
      </section>
    </main>
  );
}

function useReview(sessionId: string): Review | undefined {
  const api = useApi();
  const [review, setReview] = useState<Review>();
  useEffect(() => {
    unsavedSlot(sessionId).write(null); // too late for those
    const stop = new AbortController();
    void untilAnswered(() => api.review(sessionId), stop.signal).then((answer) => {
      if (answer?.ok) setReview(answer.value);
    });
    return () => stop.abort();
  }, [api, sessionId]);
  return review;
}

function Score({ review: { score, items, answered } }: { review: Review }) {
  return (
    <div className="score">
      <p className="score-figure">
        <strong>{score ?? "–"}</strong> of {items} right
      </p>
      <div className="score-bar" aria-hidden="true">
        <span style={{ width: `${(100 * (score ?? 0)) / items}%` }} />
      </div>
      <p className="quiet">
        {answered === items ? "You answered every question." : `You answered ${answered} of ${items}.`}
      </p>
    </div>
  );
}

function Row({ question }: { question: ReviewedQuestion }) {
  const { pos, text, choices, choice, correct } = question;
  const isRight = choice !== null && choice === correct;
  const verdict = choice === null ? "open" : isRight ? "right" : "wrong";
  return (
    <li className={`row verdict-${verdict}`}>
      <span className="row-verdict">{VERDICTS[verdict].icon}</span>
      <span className="row-text">
        <span>
          {pos}. {text}
        </span>
        <span>
          <b>{VERDICTS[verdict].text}</b>
          {choice !== null && <> {choices[choice]}</>}
        </span>
        {!isRight && correct !== null && <span className="quiet">Right answer: {choices[correct]}</span>}
      </span>
    </li>
  );
}

const VERDICTS = {
  right: { icon: <CheckIcon />, text: "Right:" },
  wrong: { icon: <CrossIcon />, text: "Wrong:" },
  open: { icon: <DashIcon />, text: "Not answered" },
};
