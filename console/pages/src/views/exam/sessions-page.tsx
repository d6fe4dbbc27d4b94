import type { Me } from "../../api/types";
import { Heading } from "../heading";

export default function SessionsPage(_: { id: string; query: URLSearchParams; me: Me }) {
  return (
    <Heading pageKey="SessionsPage" title="Sessions – attemptlog">
      Sessions
    </Heading>
  );
}
