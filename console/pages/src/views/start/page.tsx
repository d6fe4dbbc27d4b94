import { useEffect } from "react";
import { useApi } from "../../api/api-context";
import type { ExamInList, Me } from "../../api/types";
import { useAnswer } from "../../api/use-answer";
import { hrefs } from "../../route";
import { Answered, Empty } from "../../shell/states";
import { moment, sessionsText } from "../../words";
import { Heading } from "../heading";
import { OwnSession } from "./own-session";
import "./start.css";

export default function StartPage({ me }: { me: Me }) {
  if (me.role === "candidate") return <OwnSession platformUrl={me.platform_url} />;
  return me.role === "operator" ? <ToOperations /> : <Exams />;
}

/** An operator sees no exam; going back does not end here again. */
function ToOperations() {
  useEffect(() => window.location.replace(hrefs.operations()), []);
  return null;
}

function Exams() {
  const api = useApi();
  const exams = useAnswer("exams", () => api.exams(), 30_000);
  return (
    <>
      <div className="page-head">
        <Heading pageKey="exams" title="Exams – attemptlog">
          Exams
        </Heading>
      </div>
      <Answered answer={exams}>{(list) => <ExamList exams={list} />}</Answered>
    </>
  );
}

function ExamList({ exams }: { exams: readonly ExamInList[] }) {
  if (exams.length === 0) return <Empty>There is no exam that you may see yet.</Empty>;
  return (
    <ul className="exams">
      {exams.map(({ exam_id, title, sessions, last_event_at }) => (
        <li key={exam_id} className="card">
          <a href={hrefs.exam(exam_id)}>{title ?? `Untitled exam ${exam_id}`}</a>
          <span>{sessionsText(sessions)}</span>
          <span className="quiet">{last_event_at ? `Last activity ${moment(last_event_at)}` : "No event yet"}</span>
        </li>
      ))}
    </ul>
  );
}
