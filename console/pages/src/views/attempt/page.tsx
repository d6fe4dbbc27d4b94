import { useApi } from "../../api/api-context";
import type { Me } from "../../api/types";
import { useAnswer } from "../../api/use-answer";
import { Answered } from "../../shell/states";
import { Heading } from "../heading";
import { AttemptView } from "./attempt-view";
import { OpeningNote } from "./opening-note";
import "./attempt.css";
import "./timeline.css";
import "./print.css";

const UNPROCESSABLE = 422; // the reason for looking cannot be kept as it is

/** Asked once, and again only when somebody wants it: each time it is read is recorded. */
export default function AttemptPage({ id, query, me }: { id: string; query: URLSearchParams; me: Me }) {
  const api = useApi();
  const why = query.get("why") ?? "";
  const answer = useAnswer(`attempt ${id} ${why}`, () => api.attempt(id, why));
  const isOwn = me.role === "candidate" || answer.value?.user_id === me.user_id;
  const isOpened = answer.value !== undefined;
  const isRefused = answer.failure?.status === UNPROCESSABLE;
  return (
    <>
      <div className="page-head">
        <Heading pageKey={id} title="Attempt – attemptlog">
          {isOwn ? "Your attempt" : "Attempt"}
        </Heading>
      </div>
      {(isOpened || isRefused) && !isOwn && <OpeningNote key={why} id={id} why={why} isOpened={isOpened} />}
      <Answered answer={answer}>
        {(attempt) => <AttemptView attempt={attempt} me={me} isOwn={isOwn} why={why} again={answer.again} />}
      </Answered>
    </>
  );
}
