import { useState } from "react";
import type { Me } from "../../api/types";
import { hrefs, type OperationsPart } from "../../route";
import { Empty } from "../../shell/states";
import { Heading } from "../heading";
import { AuditPart } from "./audit";
import { DeadLetters } from "./dead-letters";
import { createHistory } from "./history";
import { LivePart } from "./live";
import { Overview } from "./overview";
import "./operations.css";

interface OperationsProps {
  part: OperationsPart;
  query: URLSearchParams;
  me: Me;
}

const TITLES: Record<OperationsPart, string> = {
  overview: "Overview",
  "dead-letters": "Dead letters",
  live: "Live events",
  audit: "Audit",
};
const PARTS = Object.keys(TITLES) as OperationsPart[];

export default function OperationsPage({ part, query, me }: OperationsProps) {
  const [history] = useState(createHistory);
  if (me.role !== "operator" && me.role !== "auditor")
    return <Empty>There is no such page, or it is not for you.</Empty>;
  return (
    <div className="operations">
      <Heading pageKey={part} title={`${TITLES[part]} – Operations – attemptlog`}>
        Operations
      </Heading>
      <nav aria-label="Operations" className="parts">
        <ul>
          {PARTS.map((each) => (
            <li key={each}>
              <a href={hrefs.operations(each)} aria-current={each === part ? "page" : undefined}>
                {TITLES[each]}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      {part === "overview" && <Overview history={history} />}
      {part === "dead-letters" && <DeadLetters query={query} me={me} />}
      {part === "live" && <LivePart />}
      {part === "audit" && <AuditPart />}
    </div>
  );
}
