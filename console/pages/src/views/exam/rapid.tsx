import { useCallback } from "react";
import type { EffortOfExam, ExamQuestion } from "../../api/types";
import { Chart, type Draw } from "../../figures/chart";
import { count, duration, percent } from "../../words";
import { type Behind, ofQuestion } from "./behind";
import { counted } from "./counted";
import { Linked, Means, Panel } from "./panel";
import { columns, positionAxis } from "./positions";
import { QuestionTable } from "./question-table";
import { shortName } from "./questions";
import { type Column, figure } from "./runs";

interface RapidProps {
  questions: ExamQuestion[];
  effort: EffortOfExam;
  behind: Behind;
}

export function Rapid({ questions, effort, behind }: RapidProps) {
  const draw = useCallback<Draw>((plot, width) => drawRapid(plot, width, questions, behind), [questions, behind]);
  const isKnown = questions.some((question) => question.rapid !== null);
  const table = (
    <QuestionTable caption="Very short times per question" questions={questions} columns={columnsOf(behind)} />
  );
  const effortOfAll = <Effort effort={effort} behind={behind} />;
  return isKnown ? (
    <Panel
      title="Very short times"
      meaning="rapid"
      chart={
        <>
          <Chart label="Share of times below the threshold, per question" height={240} draw={draw} />
          {effortOfAll}
        </>
      }
      table={table}
    />
  ) : (
    <Panel
      title="Very short times"
      meaning="rapid"
      table={
        <>
          {effortOfAll}
          {table}
        </>
      }
    />
  );
}

function Effort({ effort: { known, below_090 }, behind }: Pick<RapidProps, "effort" | "behind">) {
  if (known === 0)
    return <p className="unknown">Effort is unknown: no session has a threshold for all its questions.</p>;
  return (
    <div className="effort">
      <p className="lead">
        <Linked to={behind({ behind: "effort_below_090" })} zero={below_090 === 0}>
          {count(below_090)}
        </Linked>{" "}
        of <Linked to={behind({ behind: "effort_known" })}>{count(known)}</Linked>{" "}
        {known === 1 ? "session has" : "sessions have"} an effort below 0.9
      </p>
      <Means meaning="effort_known" />
    </div>
  );
}

function columnsOf(behind: Behind): Column<ExamQuestion>[] {
  const why = (question: ExamQuestion) => question.rapid_reason;
  return [
    figure("Below", (question) => question.rapid_below_ms, why, duration),
    figure(
      "So short",
      (question) => question.rapid,
      why,
      (rapid, question) => (
        <Linked to={ofQuestion(behind, question, "rapid")} zero={rapid === 0}>
          {count(rapid)}
        </Linked>
      ),
    ),
    counted("Of times", (question) => question.times, "times", behind),
  ];
}

const shareOf = ({ rapid, times }: ExamQuestion) => (rapid ?? 0) / Math.max(1, times);

function drawRapid(
  plot: Parameters<Draw>[0],
  width: number,
  questions: ExamQuestion[],
  behind: Behind,
): ReturnType<Draw> {
  const known = questions.filter((question) => question.rapid !== null);
  const top = Math.max(0.1, ...known.map(shareOf)); // so that one short time in a hundred is no tall bar
  return {
    marginBottom: 44,
    marginLeft: 44,
    x: positionAxis(questions, width),
    y: { grid: true, label: null, domain: [0, top], ticks: 4, tickFormat: percent },
    marks: [
      plot.barY(known, { x: "position", y: shareOf, fill: "var(--series-1)" }),
      plot.ruleY([0]),
      columns(plot, known, {
        top,
        title: (question) =>
          `${shortName(question)}: ${count(question.rapid ?? 0)} of ${count(question.times)} times below ${duration(question.rapid_below_ms ?? 0)}`,
        href: (question) => ofQuestion(behind, question, "rapid"),
      }),
    ],
  };
}
