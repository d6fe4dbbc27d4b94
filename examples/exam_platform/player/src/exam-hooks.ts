import { watchAbsence } from "attemptlog-client/absence";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { type Answers, type AnswersSnapshot, createAnswers } from "./answers";
import type { Question, Session } from "./api";
import { useApi } from "./api-context";
import { createJourney, type Track } from "./journey";
import { slot } from "./remembered";

export function unsavedSlot(sessionId: string) {
  return slot("localStorage", `unsaved:${sessionId}`);
}

export function useAnswers(session: Session, onRefused: () => void): Answers & AnswersSnapshot {
  const api = useApi();
  const [answers] = useState(() =>
    createAnswers({
      questions: session.questions,
      save: (questionId, change) => api.answer(session.id, questionId, change),
      unsaved: unsavedSlot(session.id),
      onRefused,
    }),
  );
  useEffect(() => answers.start(), [answers]);
  return { ...answers, ...useSyncExternalStore(answers.subscribe, answers.snapshot) };
}

/** The position of the question on the screen, from 1; each tab has its own, which a reload keeps. */
export function usePosition({ id, questions }: Session): [number, (pos: number) => void] {
  const [pos, setPos] = useState(() =>
    within(Number(slot("sessionStorage", `position:${id}`).read()), questions.length),
  );
  const goTo = useCallback(
    (wanted: number) => {
      const next = within(wanted, questions.length);
      slot("sessionStorage", `position:${id}`).write(String(next));
      setPos(next);
    },
    [id, questions.length],
  );
  return [pos, goTo];
}

function within(pos: number, last: number): number {
  return Math.min(Math.max(Math.trunc(pos) || 1, 1), last);
}

/** `shown` is the question on the screen; undefined while another page is. */
export function useJourney(track: Track, shown: Question | undefined): void {
  const [journey] = useState(() => createJourney(track));
  useEffect(() => (shown ? journey.show(shown) : journey.leave()), [journey, shown]);
}

export function useAbsence(track: Track, sessionId: string): void {
  useEffect(() => watchAbsence(track, sessionId), [track, sessionId]);
}
