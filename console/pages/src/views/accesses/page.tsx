import { useState } from "react";
import { useApi } from "../../api/api-context";
import type { AccessPage, Me } from "../../api/types";
import { useAnswer } from "../../api/use-answer";
import { Answered, Empty } from "../../shell/states";
import { Heading } from "../heading";
import { AccessTable } from "./access-table";
import "./accesses.css";

/** For auditors: who looked at whose data, newest first, a page at a time. */
export default function AccessesPage(_: { me: Me }) {
  const api = useApi();
  const [after, setAfter] = useState<string | null>(null);
  const answer = useAnswer(`accesses ${after}`, () => api.accesses({ after }));
  return (
    <>
      <div className="page-head">
        <Heading pageKey="accesses" title="Who looked – attemptlog">
          Who looked
        </Heading>
      </div>
      <p className="accesses-intro">
        Each time somebody other than the candidate opens an attempt here, and each command that shows or exports what
        people did, is written down before anything is shown. Entries stay as they are, but for one thing: when a person
        is purged, a pseudonym takes the place of the id.
      </p>
      <Answered answer={answer}>
        {(page) => (
          <>
            <Accesses page={page} isFirst={after === null} />
            <div className="accesses-pages">
              {after !== null && (
                <button type="button" className="secondary" onClick={() => setAfter(null)}>
                  The newest
                </button>
              )}
              {page.next !== null && (
                <button type="button" className="secondary" onClick={() => setAfter(page.next)}>
                  Older
                </button>
              )}
            </div>
          </>
        )}
      </Answered>
    </>
  );
}

function Accesses({ page: { accesses }, isFirst }: { page: AccessPage; isFirst: boolean }) {
  if (accesses.length > 0) return <AccessTable accesses={accesses} />;
  return <Empty>{isFirst ? "Nobody has looked at anybody's data yet." : "There are no older entries."}</Empty>;
}
