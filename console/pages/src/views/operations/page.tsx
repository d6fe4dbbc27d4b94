import type { Me } from "../../api/types";
import type { OperationsPart } from "../../route";
import { Heading } from "../heading";
export default function OperationsPage(_: { part: OperationsPart; query: URLSearchParams; me: Me }) {
  return (
    <Heading pageKey="OperationsPage" title="Operations – attemptlog">
      Operations
    </Heading>
  );
}
