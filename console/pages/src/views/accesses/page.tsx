import type { Me } from "../../api/types";
import { Heading } from "../heading";

export default function AccessesPage(_: { me: Me }) {
  return (
    <Heading pageKey="AccessesPage" title="Who looked – attemptlog">
      Who looked
    </Heading>
  );
}
