import type { TelemetryClient } from "attemptlog-client";
import { withAnswers } from "../answers";
import type { Session } from "../api";
import { useAbsence, useAnswers, useJourney, usePosition } from "../exam-hooks";
import { go, type Page, sessionHref } from "../route";
import { ExamView } from "./exam-view";
import { Overview } from "./overview";

interface OpenExamProps {
  session: Session;
  page: Page;
  telemetry: Pick<TelemetryClient, "track" | "flush">;
  refresh: () => void;
}

export function OpenExam({ session, page, telemetry, refresh }: OpenExamProps) {
  const answers = useAnswers(session, refresh);
  const [pos, goTo] = usePosition(session);
  useAbsence(telemetry.track, session.id);
  useJourney(telemetry.track, page === "exam" ? session.questions[pos - 1] : undefined);

  const questions = withAnswers(session.questions, answers.answers);
  const question = questions[pos - 1];
  if (page === "exam" && question) {
    const openReview = () => go(sessionHref(session.id, "review"));
    const title = session.exam.title;
    return <ExamView {...{ title, questions, question, answers }} onGo={goTo} onReview={openReview} />;
  }

  function openQuestion(to: number): void {
    goTo(to);
    go(sessionHref(session.id));
  }
  return <Overview {...{ session, questions, pos, answers, refresh }} flush={telemetry.flush} onOpen={openQuestion} />;
}
