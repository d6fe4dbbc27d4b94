import type { SessionInList } from "../../api/types";
import { hrefs } from "../../route";
import { count, duration, moment, reasonText } from "../../words";
import { Cells, Heads } from "./cells";
import { type Column, figure } from "./runs";

/** A table on a desk and cards on a phone: sessions.css. */
export function SessionList({ sessions }: { sessions: readonly SessionInList[] }) {
  return (
    <table className="card sessions">
      <caption className="visually-hidden">Sessions, by when they began</caption>
      <thead>
        <tr>
          <th scope="col">Candidate</th>
          <Heads columns={COLUMNS} />
        </tr>
      </thead>
      <tbody>
        {sessions.map((session) => (
          <tr key={session.session_id}>
            <th scope="row">
              <a href={hrefs.attempt(session.session_id)}>{session.user_id}</a>
            </th>
            <Cells row={session} columns={COLUMNS} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const COLUMNS: readonly Column<SessionInList>[] = [
  {
    name: "Began",
    why: ({ began_at, log_reason }) => (began_at === null ? log_reason : undefined),
    cell: ({ began_at }) => began_at && moment(began_at),
  },
  { name: "End", cell: ({ completion }) => completion },
  figure(
    "Time",
    (it) => it.time_ms,
    (it) => it.time_reason,
    duration,
  ),
  figure(
    "Marks",
    (it) => it.marks,
    (it) => it.marks_reason,
    count,
  ),
  figure(
    "Answered",
    (it) => it.answered,
    (it) => it.answers_reason,
    count,
  ),
  figure(
    "Absences",
    (it) => it.absences,
    (it) => it.absences_reason,
    count,
  ),
  figure(
    "Effort",
    (it) => it.effort,
    (it) => it.effort_reason,
    (effort) => effort.toFixed(2),
  ),
  {
    name: "Log",
    cell: ({ is_complete, log_reason }) => (is_complete ? "complete" : <>not complete: {reasonText(log_reason)}</>),
  },
];
