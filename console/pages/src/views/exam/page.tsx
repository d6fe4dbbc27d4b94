import { useMemo } from "react";
import { search } from "../../api/api";
import { useApi } from "../../api/api-context";
import type { Exam, Me } from "../../api/types";
import { useAnswer } from "../../api/use-answer";
import { Answered, Empty } from "../../shell/states";
import { Heading } from "../heading";
import { type Behind, behindOf } from "./behind";
import { Changes } from "./changes";
import { Difficulty } from "./difficulty";
import "./exam.css";
import { filterOf, isFiltered } from "./filter";
import { Filters } from "./filters";
import { Freshness } from "./freshness";
import { Navigation } from "./navigation";
import { QuestionTimes } from "./question-times";
import { Rapid } from "./rapid";
import { SessionTimes } from "./session-times";
import { SessionsPanel } from "./sessions-panel";
import { Trail } from "./trail";

const LOOK_EVERY_MS = 30_000;

export default function ExamPage({ id, query }: { id: string; query: URLSearchParams; me: Me }) {
  const api = useApi();
  const asked = search(filterOf(query));
  const filter = useMemo(() => filterOf(new URLSearchParams(asked)), [asked]);
  const behind = useMemo(() => behindOf(id, filter), [id, filter]);
  const answer = useAnswer(`${id}${asked}`, () => api.exam(id, filter), LOOK_EVERY_MS);
  const exam = answer.value;
  const title = exam ? (exam.title ?? "Untitled exam") : "Exam";
  return (
    <>
      <Trail />
      <div className="page-head">
        <Heading pageKey={id} title={`${title} – attemptlog`}>
          {title}
        </Heading>
        {exam && !exam.title && <p className="fine-print">{id}</p>}
        {exam && <Freshness freshness={exam.freshness} />}
      </div>
      <Filters examId={id} filter={filter} groups={exam?.groups ?? []} />
      <Answered answer={answer}>
        {(it) => <Figures exam={it} behind={behind} isSelection={isFiltered(filter)} />}
      </Answered>
    </>
  );
}

function Figures({ exam, behind, isSelection }: { exam: Exam; behind: Behind; isSelection: boolean }) {
  const { coverage, questions } = exam;
  if (coverage.sessions === 0) {
    return (
      <Empty>
        {isSelection
          ? "No session is in this selection."
          : "No session has begun yet. Figures come with the first events."}
      </Empty>
    );
  }
  return (
    <>
      <SessionsPanel exam={exam} behind={behind} />
      <SessionTimes times={exam.times} sessions={coverage.sessions} behind={behind} />
      <QuestionTimes questions={questions} behind={behind} />
      <Rapid questions={questions} effort={exam.effort} behind={behind} />
      <Difficulty questions={questions} behind={behind} />
      <Changes questions={questions} behind={behind} />
      <Navigation questions={questions} moves={exam.navigation} behind={behind} />
    </>
  );
}
