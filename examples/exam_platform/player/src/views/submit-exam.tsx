import { useRef, useState } from "react";
import { useApi } from "../api-context";
import { type HandIn, handIn } from "../hand-in";
import { Problem } from "./problem";

interface SubmitExamProps {
  sessionId: string;
  /** Questions without an answer. */
  open: number;
  settle: () => Promise<boolean>;
  flush: () => Promise<void>;
  onClosed: () => void;
}

const PROBLEMS: Record<HandIn, string> = {
  closed: "",
  unsaved: "Your last answers are not saved yet. Please check your connection and try again.",
  unreachable: "The exam platform cannot be reached. Nothing is lost. Please try again.",
};

export function SubmitExam({ sessionId, open, settle, flush, onClosed }: SubmitExamProps) {
  const api = useApi();
  const dialog = useRef<HTMLDialogElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");

  async function submit(): Promise<void> {
    setBusy(true);
    setProblem("");
    const outcome = await handIn({ settle, flush, submit: () => api.submit(sessionId) });
    if (outcome === "closed") return onClosed();
    setBusy(false);
    setProblem(PROBLEMS[outcome]);
  }

  return (
    <>
      <button type="button" className="primary" onClick={() => dialog.current?.showModal()}>
        Submit exam
      </button>
      <dialog
        ref={dialog}
        className="dialog"
        aria-labelledby="submit-title"
        onCancel={(event) => isBusy && event.preventDefault()}
      >
        <h2 id="submit-title">Hand in your exam?</h2>
        <p>{openText(open)} After this you cannot change anything.</p>
        <Problem text={problem} />
        <div className="actions">
          <button type="button" className="secondary" disabled={isBusy} onClick={() => dialog.current?.close()}>
            Keep working
          </button>
          <button type="button" className="primary" disabled={isBusy} onClick={submit}>
            {isBusy ? "Submitting…" : "Submit now"}
          </button>
        </div>
      </dialog>
    </>
  );
}

function openText(open: number): string {
  if (open === 0) return "You have answered every question.";
  return open === 1 ? "One question is still open." : `${open} questions are still open.`;
}
