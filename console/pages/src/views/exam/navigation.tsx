import { useCallback, useMemo, useState } from "react";
import type { ExamQuestion, Move } from "../../api/types";
import { Chart, type Draw } from "../../figures/chart";
import { count, sessionsText } from "../../words";
import type { Behind } from "./behind";
import { Linked, Panel } from "./panel";
import { Scrolled } from "./question-table";
import { positionTicks, shortName } from "./questions";

const FIRST_ROWS = 40;

interface NavigationProps {
  questions: ExamQuestion[];
  moves: Move[];
  behind: Behind;
}

/** A move with the questions' positions. */
interface Step extends Move {
  from: number;
  to: number;
}

export function Navigation({ questions, moves, behind }: NavigationProps) {
  const steps = useMemo(() => stepsOf(questions, moves), [questions, moves]);
  const draw = useCallback<Draw>(
    (plot, width) => drawMatrix(plot, width, questions, steps, behind),
    [questions, steps, behind],
  );
  if (steps.length === 0) {
    return <Panel title="Paths" meaning="moved" table={<p className="quiet">Nobody moved in a complete log.</p>} />;
  }
  return (
    <Panel
      title="Paths"
      meaning="moved"
      chart={
        <>
          <p className="lead quiet">The stronger a cell, the more moves.</p>
          <Chart label="Matrix of moves from one question to another" height={320} draw={draw} />
        </>
      }
      table={<StepTable questions={questions} steps={steps} behind={behind} />}
    />
  );
}

function stepsOf(questions: readonly ExamQuestion[], moves: readonly Move[]): Step[] {
  const positions = new Map(questions.map((question) => [question.question_id, question.position]));
  const steps = moves.flatMap((move) => {
    const [from, to] = [positions.get(move.from_question_id), positions.get(move.to_question_id)];
    return from === undefined || to === undefined ? [] : [{ ...move, from, to }];
  });
  return steps.toSorted((one, other) => other.moves - one.moves || one.from - other.from || one.to - other.to);
}

function StepTable({ questions, steps, behind }: { questions: ExamQuestion[]; steps: Step[]; behind: Behind }) {
  const [only, setOnly] = useState(0);
  const [isWhole, setWhole] = useState(false);
  const chosen = only ? steps.filter(({ from, to }) => from === only || to === only) : steps;
  const shown = isWhole ? chosen : chosen.slice(0, FIRST_ROWS);
  return (
    <div className="steps">
      <label className="no-print">
        Moves from or to{" "}
        <select value={only} onChange={(event) => setOnly(Number(event.target.value))}>
          <option value={0}>any question</option>
          {questions.map((question) => (
            <option key={question.question_id} value={question.position}>
              {shortName(question)}
            </option>
          ))}
        </select>
      </label>
      <Scrolled label="Moves">
        <StepRows steps={shown} behind={behind} />
        {shown.length < chosen.length && (
          <button type="button" className="link" onClick={() => setWhole(true)}>
            Show all {count(chosen.length)}
          </button>
        )}
      </Scrolled>
    </div>
  );
}

function StepRows({ steps, behind }: { steps: Step[]; behind: Behind }) {
  return (
    <table>
      <caption className="visually-hidden">Moves from one question to another, most first</caption>
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col">To</th>
          <th scope="col" className="number">
            Moves
          </th>
          <th scope="col" className="number">
            Sessions
          </th>
        </tr>
      </thead>
      <tbody>
        {steps.map((step) => (
          <tr key={`${step.from} ${step.to}`}>
            <td>{step.from}</td>
            <td>{step.to}</td>
            <td className="number">
              <Linked to={hrefOf(step, behind)}>{count(step.moves)}</Linked>
            </td>
            <td className="number">
              <Linked to={hrefOf(step, behind)}>{count(step.sessions)}</Linked>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function hrefOf(step: Move, behind: Behind): string {
  return behind({ question: step.from_question_id, to_question: step.to_question_id, behind: "moved" });
}

function drawMatrix(
  plot: Parameters<Draw>[0],
  width: number,
  questions: ExamQuestion[],
  steps: Step[],
  behind: Behind,
): ReturnType<Draw> {
  const most = Math.max(...steps.map((step) => step.moves));
  const side = Math.min(width, 480, 60 + 72 * questions.length);
  const domain = questions.map((question) => question.position);
  const axis = { type: "band", domain, padding: domain.length > 40 ? 0 : 0.08, ticks: positionTicks(questions, side) };
  return {
    width: side,
    height: side,
    margin: 8,
    marginLeft: 52,
    marginTop: 36,
    x: { ...axis, type: "band", axis: "top", label: "to question" },
    y: { ...axis, type: "band", label: "from question", labelOffset: 48 },
    marks: [
      plot.cell(steps, {
        x: "to",
        y: "from",
        fill: "var(--series-1)",
        // The root keeps the few jumps visible beside the many moves to the next question.
        fillOpacity: { value: (step: Step) => 0.12 + 0.88 * Math.sqrt(step.moves / most), scale: null },
        title: (step: Step) =>
          `Question ${step.from} to ${step.to}: ${count(step.moves)} moves in ${sessionsText(step.sessions)}`,
        href: (step: Step) => hrefOf(step, behind),
      }),
    ],
  };
}
