import type { SaveState } from "../answers";
import type { AnswerChange, Question } from "../api";
import { Heading } from "./heading";
import { FlagIcon, NextIcon, PreviousIcon } from "./icons";
import { SaveNote } from "./save-note";

interface QuestionCardProps {
  title: string;
  question: Question;
  total: number;
  isLast: boolean;
  saveState: SaveState;
  onChange: (change: AnswerChange) => void;
  onGo: (pos: number) => void;
  onReview: () => void;
}

export function QuestionCard(props: QuestionCardProps) {
  const { title, question, total, isLast, saveState, onChange, onGo, onReview } = props;
  const { id, pos, marked } = question;
  return (
    <section className="card question">
      <div className="question-head">
        <Heading level={2} pageKey={id} title={`Question ${pos} – ${title}`} describedBy="question-text">
          Question {pos} <span className="quiet">of {total}</span>
        </Heading>
        <button type="button" className="mark" aria-pressed={marked} onClick={() => onChange({ marked: !marked })}>
          <FlagIcon />
          Mark for review
        </button>
      </div>
      <Choices question={question} onChoose={(choice) => onChange({ choice })} />
      <div className="actions">
        <button type="button" className="secondary" disabled={pos === 1} onClick={() => onGo(pos - 1)}>
          <PreviousIcon />
          Previous
        </button>
        <SaveNote state={saveState} isUsed={question.choice !== null || marked} />
        {isLast ? (
          <button type="button" className="primary" onClick={onReview}>
            Review and submit
          </button>
        ) : (
          <button type="button" className="primary" onClick={() => onGo(pos + 1)}>
            Next
            <NextIcon />
          </button>
        )}
      </div>
    </section>
  );
}

interface ChoicesProps {
  question: Question;
  onChoose: (choice: number) => void;
}

function Choices({ question, onChoose }: ChoicesProps) {
  return (
    <fieldset className="choices">
      <legend id="question-text">{question.text}</legend>
      {question.choices.map((text, choice) => (
        <label key={text} className="choice">
          <input
            type="radio"
            name={question.id}
            checked={question.choice === choice}
            onChange={() => onChoose(choice)}
          />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}
