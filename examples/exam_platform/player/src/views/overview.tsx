import { useEffect } from "react";
import type { Answers, AnswersSnapshot } from "../answers";
import type { Question, Session } from "../api";
import { useApi } from "../api-context";
import { openingOfPage } from "../opening";
import { untilAnswered } from "../retry";
import { Heading } from "./heading";
import { FlagIcon } from "./icons";
import { SaveNote } from "./save-note";
import { SubmitExam } from "./submit-exam";

interface OverviewProps {
  session: Session;
  questions: Question[];
  pos: number;
  answers: Answers & AnswersSnapshot;
  flush: () => Promise<void>;
  refresh: () => void;
  onOpen: (pos: number) => void;
}

export function Overview({ session, questions, pos, answers, flush, refresh, onOpen }: OverviewProps) {
  useReview(session.id, answers, refresh);
  const open = questions.filter((question) => question.choice === null).length;
  return (
    <main>
      <section className="card overview">
        <Heading level={2} pageKey="overview" title={`Review – ${session.exam.title}`}>
          Review your answers
        </Heading>
        <Figures questions={questions} />
        <ol className="rows">
          {questions.map((question) => (
            <Row key={question.id} question={question} onOpen={onOpen} />
          ))}
        </ol>
        <div className="actions">
          <button type="button" className="secondary" onClick={() => onOpen(pos)}>
            Back to questions
          </button>
          <SaveNote state={answers.saveState} isUsed />
          <SubmitExam sessionId={session.id} open={open} settle={answers.settle} flush={flush} onClosed={refresh} />
        </div>
      </section>
    </main>
  );
}

/** Tells the service that the overview is open, and takes over what another tab has answered. */
function useReview(sessionId: string, { settle, adopt }: Answers, refresh: () => void): void {
  const api = useApi();
  useEffect(() => {
    const stop = new AbortController();
    async function open(): Promise<void> {
      await settle();
      const review = await untilAnswered(() => api.review(sessionId, openingOfPage()), stop.signal);
      if (!review) return;
      if (review.ok && review.value.state === "open") adopt(review.value.questions);
      else refresh();
    }
    void open();
    return () => stop.abort();
  }, [api, sessionId, settle, adopt, refresh]);
}

function Figures({ questions }: { questions: Question[] }) {
  const answered = questions.filter((question) => question.choice !== null).length;
  const marked = questions.filter((question) => question.marked).length;
  return (
    <dl className="figures">
      <Figure name="Answered" value={answered} />
      <Figure name="Open" value={questions.length - answered} />
      <Figure name="Marked" value={marked} />
    </dl>
  );
}

function Figure({ name, value }: { name: string; value: number }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Row({ question, onOpen }: { question: Question; onOpen: (pos: number) => void }) {
  const { pos, text, choice, choices, marked } = question;
  return (
    <li>
      <button type="button" className="row" onClick={() => onOpen(pos)}>
        <span className="row-pos">
          <span className="visually-hidden">Question </span>
          {pos}
        </span>
        <span className="row-text">
          <span>{text}</span>
          <span className={choice === null ? "row-open" : "quiet"}>
            {choice === null ? "Not answered" : choices[choice]}
          </span>
        </span>
        {marked && (
          <span className="row-mark">
            <FlagIcon />
            Marked
          </span>
        )}
      </button>
    </li>
  );
}
