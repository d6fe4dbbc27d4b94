import type { Me } from "../../api/types";
import { Heading } from "../heading";

export default function ExamPage(_: { id: string; query: URLSearchParams; me: Me }) {
  return (
    <Heading pageKey="ExamPage" title="Exam – attemptlog">
      Exam
    </Heading>
  );
}
