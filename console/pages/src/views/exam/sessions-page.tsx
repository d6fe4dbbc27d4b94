import { search } from "../../api/api";
import { useApi } from "../../api/api-context";
import type { Me, SessionPage } from "../../api/types";
import { useAnswer } from "../../api/use-answer";
import { hrefs } from "../../route";
import { Answered, Empty } from "../../shell/states";
import { moment, sessionsText } from "../../words";
import { Heading } from "../heading";
import "./exam.css";
import { type Filter, filterOf, isFiltered } from "./filter";
import { Means } from "./panel";
import { SessionList } from "./session-list";
import "./sessions.css";
import { Trail } from "./trail";
import { whichOf } from "./which";

/** The sessions behind a figure, which the address names. */
export default function SessionsPage({ id, query, me }: { id: string; query: URLSearchParams; me: Me }) {
  const api = useApi();
  const asked = Object.fromEntries(query);
  const filter = filterOf(query);
  const answer = useAnswer(`${id}?${query}`, () => api.sessions(id, asked));
  const exam = useAnswer(id, () => api.exam(id)).value; // for the names of the exam and its questions
  const which = whichOf(query, exam);
  return (
    <>
      <Trail>
        <a href={hrefs.exam(id, search({ ...filter }))}>{exam?.title ?? "Exam"}</a>
      </Trail>
      <div className="page-head">
        <Heading pageKey={`${id}?${query}`} title={`${which.title} – attemptlog`}>
          {which.title}
        </Heading>
        {answer.value && <p className="quiet">{sessionsText(answer.value.total)}</p>}
      </div>
      {which.detail && <p className="asked">{which.detail}</p>}
      <Means meaning={which.meaning} />
      <Selection filter={filter} />
      <Answered answer={answer}>{(page) => <List page={page} id={id} query={query} me={me} />}</Answered>
    </>
  );
}

function Selection({ filter }: { filter: Filter }) {
  if (!isFiltered(filter)) return null;
  const parts = [
    filter.from && `began from ${timeOf(filter.from)}`,
    filter.to && `began before ${timeOf(filter.to)}`,
    filter.group && `group ${filter.group}`,
  ];
  return <p className="selection">Only sessions of this selection: {parts.filter(Boolean).join(", ")}.</p>;
}

const timeOf = (iso: string) => (Number.isNaN(Date.parse(iso)) ? iso : moment(iso));

interface ListProps {
  page: SessionPage;
  id: string;
  query: URLSearchParams;
  me: Me;
}

function List({ page, id, query, me }: ListProps) {
  if (page.sessions.length === 0) return <Empty>No session is behind this figure any more, or none ever was.</Empty>;
  const first = search({ ...Object.fromEntries(query), after: null });
  return (
    <>
      {me.role !== "candidate" && (
        <p className="fine-print recorded">Opening an attempt is recorded: who looked, and when.</p>
      )}
      <SessionList sessions={page.sessions} />
      <nav className="pages no-print" aria-label="Pages of the list">
        {query.has("after") && <a href={hrefs.sessions(id, first)}>First page</a>}
        {page.next && (
          <a href={hrefs.sessions(id, search({ ...Object.fromEntries(query), after: page.next }))}>Next page</a>
        )}
      </nav>
    </>
  );
}
