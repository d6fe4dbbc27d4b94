import type { AttemptQuestion, ChangeKind } from "../../api/types";
import { Figure } from "../../figures/figure";
import { count, duration } from "../../words";
import { capital, plural } from "./event-words";
import { optionText, type QuestionNames } from "./questions";

const NOT_SHOWN = "not_shown"; // to candidates, who could read the key off their marks

const CHANGED: Record<ChangeKind, string> = {
  WR: "wrong to right",
  RW: "right to wrong",
  WW: "wrong to wrong",
  RR: "right to right",
};

export function QuestionsTable({ questions, names }: { questions: AttemptQuestion[]; names: QuestionNames }) {
  if (questions.length === 0) return null;
  const hasMarks = questions.some((question) => question.mark_reason !== NOT_SHOWN);
  return (
    <section className="card panel" aria-labelledby="questions">
      <h2 id="questions">Questions</h2>
      <table className="stacked">
        <thead>
          <tr>
            <th scope="col">Question</th>
            <th scope="col" className="number">
              Visits
            </th>
            <th scope="col" className="number">
              On the screen
            </th>
            <th scope="col" className="number">
              … with the focus
            </th>
            <th scope="col">Answer</th>
            {hasMarks && (
              <th scope="col" className="number">
                Mark
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {questions.map((question) => (
            <QuestionRow key={question.question_id} question={question} names={names} hasMarks={hasMarks} />
          ))}
        </tbody>
      </table>
      <p className="fine-print">
        Time on the screen is not thought, and a short one may be a question that somebody knew. Answers are counted
        from option 1 here, and from 0 in the CSV and in the events.{!hasMarks && " Marks are not shown to candidates."}
      </p>
    </section>
  );
}

interface QuestionRowProps {
  question: AttemptQuestion;
  names: QuestionNames;
  hasMarks: boolean;
}

function QuestionRow({ question: q, names, hasMarks }: QuestionRowProps) {
  return (
    <tr>
      <th scope="row">
        {capital(names.name(q.question_id))}
        {q.title && <span className="row-title">{q.title}</span>}
      </th>
      <td className="number" data-label="Visits">
        <Figure value={q.visits} reason={q.visits_reason}>
          {count}
        </Figure>
      </td>
      <td className="number" data-label="On the screen">
        <Figure value={q.dwell_ms} reason={q.dwell_reason}>
          {duration}
        </Figure>
      </td>
      <td className="number" data-label="… with the focus">
        <Figure value={q.present_ms} reason={q.present_reason}>
          {duration}
        </Figure>
      </td>
      <td data-label="Answer">
        <Figure value={q.answers_reason === null ? q : null} reason={q.answers_reason}>
          {answerText}
        </Figure>
      </td>
      {hasMarks && (
        <td className="number" data-label="Mark">
          <Figure value={q.mark} reason={q.mark_reason}>
            {count}
          </Figure>
        </td>
      )}
    </tr>
  );
}

/** "option 2, at first option 4: 2 changes, wrong to right"; of a question whose answers are known. */
export function answerText({ first_choice, last_choice, changes, change_kind }: AttemptQuestion): string {
  if (first_choice === null || last_choice === null) return "not answered";
  const last = capital(optionText(last_choice));
  if (!changes) return last;
  const kind = change_kind === null ? "" : `, ${CHANGED[change_kind]}`;
  return `${last}, at first ${optionText(first_choice)}: ${plural(changes, "change")}${kind}`;
}
