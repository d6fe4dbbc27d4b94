import type { Question } from "../api";

interface NavigatorProps {
  questions: Question[];
  pos: number;
  onGo: (pos: number) => void;
  /** Left out where the question itself offers it. */
  onReview: (() => void) | undefined;
}

export function Navigator({ questions, pos, onGo, onReview }: NavigatorProps) {
  const answered = questions.filter((question) => question.choice !== null).length;
  return (
    <nav className="card navigator" aria-label="Questions">
      <p className="navigator-head">
        <strong>Questions</strong>
        <span className="quiet">
          {answered} of {questions.length} answered
        </span>
      </p>
      <ol>
        {questions.map((question) => (
          <li key={question.id}>
            <NavigatorItem question={question} isCurrent={question.pos === pos} onGo={onGo} />
          </li>
        ))}
      </ol>
      <p className="navigator-key" aria-hidden="true">
        <span className="key-answered">answered</span>
        <span className="key-marked">marked</span>
      </p>
      {onReview && (
        <button type="button" className="secondary" onClick={onReview}>
          Review and submit
        </button>
      )}
    </nav>
  );
}

interface NavigatorItemProps {
  question: Question;
  isCurrent: boolean;
  onGo: (pos: number) => void;
}

function NavigatorItem({ question, isCurrent, onGo }: NavigatorItemProps) {
  return (
    <button
      type="button"
      className="navigator-item"
      aria-label={describe(question, isCurrent)}
      aria-current={isCurrent ? "step" : undefined}
      data-answered={question.choice !== null}
      data-marked={question.marked}
      onClick={() => onGo(question.pos)}
    >
      {question.pos}
    </button>
  );
}

/** `Question 3, answered, marked for review, current` */
export function describe({ pos, choice, marked }: Question, isCurrent = false): string {
  const states = [choice === null ? "not answered" : "answered", marked && "marked for review", isCurrent && "current"];
  return [`Question ${pos}`, ...states].filter(Boolean).join(", ");
}
