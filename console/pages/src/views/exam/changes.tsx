import { useCallback } from "react";
import type { ExamQuestion } from "../../api/types";
import { Chart, type Draw } from "../../figures/chart";
import { count } from "../../words";
import { type Behind, ofQuestion } from "./behind";
import { counted } from "./counted";
import { Legend, type LegendEntry, Panel } from "./panel";
import { positionAxis } from "./positions";
import { QuestionTable } from "./question-table";
import { changesOfUnknownKind, shortName } from "./questions";
import type { Column } from "./runs";

interface QuestionsProps {
  questions: ExamQuestion[];
  behind: Behind;
}

interface Kind extends LegendEntry {
  /** What the sessions behind it are asked by; where nobody knows the kind, all that changed. */
  figure: string;
  of: (question: ExamQuestion) => number;
}

const KNOWN: readonly Kind[] = [
  { name: "wrong\u00a0→ right", series: 1, figure: "WR", of: (question) => question.wrong_to_right },
  { name: "right\u00a0→ wrong", series: 2, figure: "RW", of: (question) => question.right_to_wrong },
  { name: "wrong\u00a0→ wrong", series: 3, figure: "WW", of: (question) => question.wrong_to_wrong },
  { name: "right\u00a0→ right", series: 4, figure: "RR", of: (question) => question.right_to_right },
];
const UNKNOWN: Kind = { name: "kind unknown", series: "rest", figure: "changed", of: changesOfUnknownKind };

export function Changes({ questions, behind }: QuestionsProps) {
  const kinds = kindsOf(questions);
  const draw = useCallback<Draw>((plot, width) => drawChanges(plot, width, questions, behind), [questions, behind]);
  const isAny = questions.some((question) => question.changed > 0);
  return (
    <Panel
      title="Answer changes"
      meaning="changed"
      chart={
        isAny ? (
          <>
            <Legend entries={kinds} />
            <Chart label="Sessions in which the answer changed, per question and kind" height={280} draw={draw} />
          </>
        ) : (
          <p className="quiet">No answer was changed.</p>
        )
      }
      table={
        <QuestionTable caption="Answer changes per question" questions={questions} columns={columnsOf(kinds, behind)} />
      }
    />
  );
}

function kindsOf(questions: readonly ExamQuestion[]): Kind[] {
  const hasKey = questions.some((question) => whyNoKind(question) === undefined);
  const hasUnknown = questions.some((question) => UNKNOWN.of(question) > 0);
  return [...(hasKey ? KNOWN : []), ...(hasUnknown ? [UNKNOWN] : [])];
}

/** Without a key, none is of this kind as far as anybody can say: that is not 0. */
function whyNoKind({ marks_reason }: ExamQuestion): string | undefined {
  return marks_reason === "no_key" ? marks_reason : undefined;
}

function columnsOf(kinds: readonly Kind[], behind: Behind): Column<ExamQuestion>[] {
  const ofKinds = kinds.map((kind) => {
    const column = counted(kind.name, kind.of, kind.figure, behind);
    return kind === UNKNOWN ? column : { ...column, why: whyNoKind };
  });
  return [...ofKinds, counted("All", (question) => question.changed, "changed", behind)];
}

function drawChanges(
  plot: Parameters<Draw>[0],
  width: number,
  questions: ExamQuestion[],
  behind: Behind,
): ReturnType<Draw> {
  const bars = questions.flatMap((question) =>
    [...KNOWN, UNKNOWN].map((kind) => ({ question, kind, position: question.position, sessions: kind.of(question) })),
  );
  type Bar = (typeof bars)[number];
  return {
    marginBottom: 44,
    marginLeft: 36,
    x: positionAxis(questions, width),
    y: { grid: true, label: "sessions", ticks: Math.min(5, Math.max(...questions.map(({ changed }) => changed))) },
    marks: [
      plot.barY(
        bars.filter((bar) => bar.sessions > 0),
        {
          x: "position",
          y: "sessions",
          fill: { value: (bar: Bar) => `var(--series-${bar.kind.series})`, scale: null },
          stroke: { value: (bar: Bar) => (bar.kind === UNKNOWN ? "var(--series-3)" : "none"), scale: null },
          title: ({ question, kind, sessions }: Bar) => `${shortName(question)}, ${kind.name}: ${count(sessions)}`,
          href: ({ question, kind }: Bar) => ofQuestion(behind, question, kind.figure),
        },
      ),
      plot.ruleY([0]),
    ],
  };
}
