import { useMemo } from "react";
import type { Answers, AnswersSnapshot } from "../answers";
import type { Question } from "../api";
import { useShortcuts } from "../shortcuts";
import { useFlag } from "../use-flag";
import { KeyboardHelp } from "./keyboard-help";
import { Navigator } from "./navigator";
import { QuestionCard } from "./question-card";

interface ExamViewProps {
  title: string;
  questions: Question[];
  question: Question;
  answers: Answers & AnswersSnapshot;
  onGo: (pos: number) => void;
  onReview: () => void;
}

export function ExamView({ title, questions, question, answers, onGo, onReview }: ExamViewProps) {
  const [hasShortcuts, setShortcuts] = useFlag("shortcuts", true);
  const { id, pos, marked } = question;
  const isLast = pos === questions.length;
  const { change } = answers;
  const shortcuts = useMemo(
    () => ({
      n: () => !isLast && onGo(pos + 1),
      p: () => pos > 1 && onGo(pos - 1),
      m: () => change(id, { marked: !marked }),
    }),
    [isLast, pos, id, marked, change, onGo],
  );
  useShortcuts(shortcuts, hasShortcuts);

  return (
    <>
      <main>
        <QuestionCard
          {...{ title, question, isLast, onGo, onReview }}
          total={questions.length}
          saveState={answers.saveState}
          onChange={(wanted) => change(id, wanted)}
        />
        <KeyboardHelp isOn={hasShortcuts} onChange={setShortcuts} />
      </main>
      <Navigator questions={questions} pos={pos} onGo={onGo} onReview={isLast ? undefined : onReview} />
    </>
  );
}
