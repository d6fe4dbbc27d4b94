import { useCallback } from "react";
import type { ExamQuestion } from "../../api/types";
import { Chart, type Draw } from "../../figures/chart";
import { count, duration } from "../../words";
import { type Behind, ofQuestion } from "./behind";
import { basis, counted } from "./counted";
import { Legend, Linked, Panel } from "./panel";
import { columns, positionAxis } from "./positions";
import { QuestionTable } from "./question-table";
import { shortName } from "./questions";
import { type Column, figure } from "./runs";
import { ticksTo, tickText } from "./time-axis";

interface QuestionsProps {
  questions: ExamQuestion[];
  behind: Behind;
}

export function QuestionTimes({ questions, behind }: QuestionsProps) {
  const draw = useCallback<Draw>((plot, width) => drawTimes(plot, width, questions, behind), [questions, behind]);
  const isKnown = questions.some((question) => question.median_ms !== null);
  return (
    <Panel
      title="Time per question"
      meaning="times"
      chart={
        isKnown && (
          <>
            <Legend
              entries={[
                { name: "median", series: 1 },
                { name: "mean", series: 2, mark: "tick" },
              ]}
            />
            <Chart label="Median and mean time per question" height={280} draw={draw} />
          </>
        )
      }
      table={<QuestionTable caption="Time per question" questions={questions} columns={columnsOf(behind)} />}
    />
  );
}

function columnsOf(behind: Behind): Column<ExamQuestion>[] {
  const time = (ms: number, question: ExamQuestion) => (
    <Linked to={ofQuestion(behind, question, "times")}>{duration(ms)}</Linked>
  );
  const noTime = () => "in no complete log";
  return [
    figure("Median", (question) => question.median_ms, noTime, time),
    figure("Mean", (question) => question.mean_ms, noTime, time),
    basis("Times", (question) => question.times, "times", behind),
    counted("Viewed by", (question) => question.viewed, "viewed", behind),
    figure(
      "Visits",
      (question) => question.mean_visits,
      () => "not_viewed",
      (visits, question) => <Linked to={ofQuestion(behind, question, "viewed")}>{visits.toFixed(1)}</Linked>,
    ),
  ];
}

function drawTimes(
  plot: Parameters<Draw>[0],
  width: number,
  questions: ExamQuestion[],
  behind: Behind,
): ReturnType<Draw> {
  const top = Math.max(...questions.map((each) => Math.max(each.median_ms ?? 0, each.mean_ms ?? 0)));
  const ticks = ticksTo(top, 5);
  const known = questions.filter((question) => question.median_ms !== null);
  return {
    marginBottom: 44,
    marginLeft: 68,
    x: positionAxis(questions, width),
    y: { grid: true, label: null, ticks, tickFormat: tickText, domain: [0, ticks.at(-1)] },
    marks: [
      plot.barY(known, { x: "position", y: "median_ms", fill: "var(--series-1)" }),
      plot.tickY(known, { x: "position", y: "mean_ms", stroke: "var(--series-2)", strokeWidth: 3 }),
      plot.ruleY([0]),
      columns(plot, known, {
        top: ticks.at(-1) ?? top,
        title: (question) =>
          `${shortName(question)}: median ${duration(question.median_ms ?? 0)}, mean ${duration(question.mean_ms ?? 0)}, ${count(question.times)} times`,
        href: (question) => ofQuestion(behind, question, "times"),
      }),
    ],
  };
}
