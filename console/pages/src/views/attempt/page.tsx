import type { Me } from "../../api/types";
import { Heading } from "../heading";

export default function AttemptPage(_: { id: string; query: URLSearchParams; me: Me }) {
  return (
    <Heading pageKey="AttemptPage" title="Attempt – attemptlog">
      Attempt
    </Heading>
  );
}
