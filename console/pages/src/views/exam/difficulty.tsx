import { useCallback } from "react";
import type { ExamQuestion } from "../../api/types";
import { Chart, type Draw } from "../../figures/chart";
import { percent, sessionsText, signed } from "../../words";
import { type Behind, ofQuestion } from "./behind";
import { basis } from "./counted";
import { Legend, type LegendEntry, Linked, Panel } from "./panel";
import { QuestionTable } from "./question-table";
import { ENOUGH, shortName } from "./questions";
import { type Column, figure } from "./runs";

interface QuestionsProps {
  questions: ExamQuestion[];
  behind: Behind;
}

const ENOUGH_OF_THEM: LegendEntry = { name: `${ENOUGH} marked sessions or more`, series: 1 };
const FEW: LegendEntry = { name: "few: noise", series: 3 };

interface Point extends ExamQuestion {
  facility: number;
  discrimination: number;
}

export function Difficulty({ questions, behind }: QuestionsProps) {
  const draw = useCallback<Draw>(
    (plot, width) => drawDifficulty(plot, width, questions.filter(isPoint), behind),
    [questions, behind],
  );
  const points = questions.filter(isPoint);
  return (
    <Panel
      title="Difficulty"
      meaning="marked"
      chart={
        points.length > 0 && (
          <>
            {points.some(isOfFew) && <Legend entries={points.every(isOfFew) ? [FEW] : [ENOUGH_OF_THEM, FEW]} />}
            <Chart label="Facility against discrimination, per question" height={340} draw={draw} />
          </>
        )
      }
      table={<QuestionTable caption="Difficulty per question" questions={questions} columns={columnsOf(behind)} />}
    />
  );
}

function isPoint(question: ExamQuestion): question is Point {
  return question.facility !== null && question.discrimination !== null;
}

const isOfFew = (point: Point) => point.marked < ENOUGH;

function columnsOf(behind: Behind): Column<ExamQuestion>[] {
  const linked = (text: (value: number) => string) => (value: number, question: ExamQuestion) => (
    <Linked to={ofQuestion(behind, question, "marked")}>{text(value)}</Linked>
  );
  const why = (question: ExamQuestion) => question.marks_reason;
  return [
    figure("Facility", (question) => question.facility, why, linked(percent)),
    figure("Discrimination", (question) => question.discrimination, why, linked(signed)),
    figure("Efficiency", (question) => question.efficiency, why, linked(signed)),
    basis("Marked", (question) => question.marked, "marked", behind),
  ];
}

function drawDifficulty(plot: Parameters<Draw>[0], width: number, points: Point[], behind: Behind): ReturnType<Draw> {
  const isCrowded = points.length > width / 8; // then the numbers would hide each other
  const colour = (point: Point) => `var(--series-${isOfFew(point) ? 3 : 1})`;
  const at = { x: "facility", y: "discrimination" };
  return {
    marginBottom: 44,
    marginLeft: 44,
    marginRight: 24,
    x: { domain: [0, 1], label: "facility", labelOffset: 36, tickFormat: percent, ticks: 5, grid: true },
    y: { domain: discriminationDomain(points), label: "discrimination", grid: true, ticks: 6 },
    marks: [
      plot.ruleY([0], { strokeOpacity: 0.5 }),
      plot.dot(points, {
        ...at,
        r: isCrowded ? 5 : 9,
        fill: "var(--surface)",
        fillOpacity: 0.8,
        stroke: { value: colour, scale: null },
        strokeWidth: isCrowded ? 2.5 : 1.5,
        title: titleOf,
        href: (point: Point) => ofQuestion(behind, point, "marked"),
      }),
      isCrowded
        ? null
        : plot.text(points, {
            ...at,
            text: (point: Point) => String(point.position),
            fill: "var(--ink)",
            pointerEvents: "none",
          }),
    ],
  };
}

function titleOf(point: Point): string {
  const figures = `facility ${percent(point.facility)}, discrimination ${signed(point.discrimination)}`;
  return `${shortName(point)}: ${figures}, of ${sessionsText(point.marked)}`;
}

/** From the lowest to the highest in tens, with 0 in it. */
function discriminationDomain(points: Point[]): [number, number] {
  const values = points.map((point) => point.discrimination);
  return [10 * Math.floor(Math.min(0, ...values) / 10), 10 * Math.ceil(Math.max(10, ...values) / 10)];
}
