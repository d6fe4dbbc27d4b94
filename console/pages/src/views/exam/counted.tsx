import type { ExamQuestion } from "../../api/types";
import { count } from "../../words";
import { type Behind, ofQuestion } from "./behind";
import { Linked } from "./panel";
import { ENOUGH } from "./questions";
import type { Column } from "./runs";

type CountOf = (question: ExamQuestion) => number;

/** The column of a number of sessions, which leads to them. */
export function counted(name: string, of: CountOf, figure: string, behind: Behind): Column<ExamQuestion> {
  return {
    name,
    isNumber: true,
    cell: (question) => (
      <Linked to={ofQuestion(behind, question, figure)} zero={of(question) === 0}>
        {count(of(question))}
      </Linked>
    ),
  };
}

/** The same of sessions that a mean or a correlation is made of: it says so where they are too few. */
export function basis(name: string, of: CountOf, figure: string, behind: Behind): Column<ExamQuestion> {
  const column = counted(name, of, figure, behind);
  const cell = (question: ExamQuestion) => (
    <>
      {column.cell(question)}
      {of(question) > 0 && of(question) < ENOUGH && <Few />}
    </>
  );
  return { ...column, cell };
}

function Few() {
  return (
    <span className="few" title={`Fewer than ${ENOUGH}: chance makes more of a difference than the question`}>
      few: noise
    </span>
  );
}
