import { useEffect, useState } from "react";
import type { Exam, Person } from "../api";
import { useApi } from "../api-context";
import { slot } from "../remembered";
import { untilAnswered } from "../retry";
import { go, sessionHref } from "../route";
import { Heading } from "./heading";
import { Problem, problemText } from "./problem";

const SECONDS_PER_MINUTE = 60;

interface ExamListProps {
  person: Person;
  onLeave: () => void;
}

export function ExamList({ person, onLeave }: ExamListProps) {
  const { exams, isInTrouble } = useExams();
  const { begin, isBusy, problem, lastSession } = useBegin(person);
  return (
    <section className="card start-card">
      <Heading pageKey="exams" title="Your exams – Exam platform">
        Hello, {person.name}
      </Heading>
      <p className="quiet">
        The clock runs from the moment you begin. You can go back and forth between the questions.
      </p>
      <ul className="exams">
        {exams?.map((exam) => (
          <ExamItem key={exam.id} exam={exam} isBusy={isBusy} onBegin={() => begin(exam.id)} />
        ))}
      </ul>
      {!exams && <p role="status">{isInTrouble ? "No connection. Trying again…" : "Loading the exams…"}</p>}
      <Problem text={problem} />
      <p className="start-links">
        {lastSession && <a href={sessionHref(lastSession)}>Back to your last exam</a>}
        <button type="button" className="link" onClick={onLeave}>
          Not {person.name}?
        </button>
      </p>
    </section>
  );
}

function ExamItem({ exam, isBusy, onBegin }: { exam: Exam; isBusy: boolean; onBegin: () => void }) {
  return (
    <li className="exam">
      <div>
        <h2>{exam.title}</h2>
        <p className="quiet">
          {exam.items} questions · {Math.round(exam.seconds / SECONDS_PER_MINUTE)} minutes
        </p>
      </div>
      <button type="button" className="primary" disabled={isBusy} onClick={onBegin} aria-label={`Begin ${exam.title}`}>
        Begin
      </button>
    </li>
  );
}

function useExams() {
  const api = useApi();
  const [exams, setExams] = useState<Exam[]>();
  const [isInTrouble, setInTrouble] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    void untilAnswered(api.exams, stop.signal, () => setInTrouble(true)).then((answer) => {
      if (answer?.ok) setExams(answer.value);
    });
    return () => stop.abort();
  }, [api]);
  return { exams, isInTrouble };
}

function useBegin(person: Person) {
  const api = useApi();
  const memory = slot("localStorage", `session:${person.user_id}`);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");

  async function begin(examId: string): Promise<void> {
    setBusy(true);
    const result = await api.begin(examId);
    setBusy(false);
    if (!result.ok) return setProblem(problemText(result));
    memory.write(result.value.id);
    go(sessionHref(result.value.id));
  }

  return { begin, isBusy, problem, lastSession: memory.read() };
}
