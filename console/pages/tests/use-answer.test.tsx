import { afterEach, it, vi } from "vitest";
import { useAnswer } from "../src/api/use-answer";
import { leave, sees, show } from "./visit";

function Page() {
  const answer = useAnswer("page", async () => ({ ok: true as const, value: "the answer" }));
  return <p>{answer.value ?? "nothing yet"}</p>;
}

afterEach(leave);

it("asks in a tab that was opened in the background", async () => {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  await show(<Page />);
  await sees("the answer");
  vi.restoreAllMocks();
});
