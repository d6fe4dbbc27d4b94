import type { ReactNode } from "react";
import type { ExamQuestion } from "../../api/types";
import { Cells, Heads } from "./cells";
import type { Column } from "./runs";

interface QuestionTableProps {
  caption: string;
  questions: readonly ExamQuestion[];
  columns: readonly Column<ExamQuestion>[];
}

export function QuestionTable({ caption, questions, columns }: QuestionTableProps) {
  return (
    <Scrolled label={caption}>
      <table>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Question</th>
            <Heads columns={columns} />
          </tr>
        </thead>
        <tbody>
          {questions.map((question) => (
            <tr key={question.question_id}>
              <th scope="row">
                <span className="position">{question.position}</span>{" "}
                <span className="question-title" title={question.title ?? undefined}>
                  {question.title}
                </span>
              </th>
              <Cells row={question} columns={columns} />
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

/** As high as the chart beside it, and scrolled by a keyboard, too. */
export function Scrolled({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by a keyboard
    <section className="scroll rows" tabIndex={0} aria-label={`${label}, as a table`}>
      {children}
    </section>
  );
}
