import type { Me } from "../../api/types";
import { Heading } from "../heading";

export default function StartPage(_: { me: Me }) {
  return (
    <Heading pageKey="StartPage" title="Exams – attemptlog">
      Exams
    </Heading>
  );
}
