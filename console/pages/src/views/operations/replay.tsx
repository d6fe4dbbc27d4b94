import { useState } from "react";
import type { Failure } from "../../api/api";
import { useApi } from "../../api/api-context";
import type { ReplayReply } from "../../api/types";
import { ConfirmDialog } from "./confirm-dialog";
import { outcomeLines, outcomeText } from "./replay-words";

interface ReplayProps {
  ids: readonly number[];
  /** Called after letters were replayed, not tried. */
  onApplied: () => void;
}

type Step =
  | { is: "ready" }
  | { is: "asking" }
  | { is: "failed"; failure: Failure }
  | { is: "tried"; reply: ReplayReply };

/** First what a replay would do, then, when that is confirmed, the replay. Other ids begin anew: give a key. */
export function Replay({ ids, onApplied }: ReplayProps) {
  const api = useApi();
  const [step, setStep] = useState<Step>({ is: "ready" });
  const [isConfirming, setConfirming] = useState(false);
  const ask = async (apply: boolean) => {
    setConfirming(false);
    setStep({ is: "asking" });
    const answer = await api.replay([...ids], apply);
    setStep(answer.ok ? { is: "tried", reply: answer.value } : { is: "failed", failure: answer });
    if (answer.ok && apply) onApplied();
  };
  const isApplied = step.is === "tried" && step.reply.applied;
  return (
    <div className="replay">
      {!isApplied && (
        <div className="actions">
          <button
            type="button"
            className="secondary"
            disabled={!ids.length || step.is === "asking"}
            onClick={() => ask(false)}
          >
            Dry run of {letters(ids.length)}
          </button>
          {step.is === "tried" && (
            <button type="button" className="primary" onClick={() => setConfirming(true)}>
              Replay {letters(ids.length)} …
            </button>
          )}
        </div>
      )}
      <div role="status">
        <Result step={step} />
      </div>
      {isConfirming && (
        <ConfirmDialog
          title={`Replay ${letters(ids.length)}?`}
          action="Replay"
          onConfirm={() => ask(true)}
          onCancel={() => setConfirming(false)}
        >
          <p>
            What passes the checks is stored as events, and events are never changed afterwards. The rest stays as it
            is. It is kept that you replayed them.
          </p>
        </ConfirmDialog>
      )}
    </div>
  );
}

function Result({ step }: { step: Step }) {
  if (step.is === "ready")
    return <p className="fine-print">A dry run says what would become of them, and changes nothing.</p>;
  if (step.is === "asking") return <p>Working …</p>;
  if (step.is === "failed") return <p className="failed">{failureText(step.failure)}</p>;
  return <Outcomes reply={step.reply} />;
}

function Outcomes({ reply }: { reply: ReplayReply }) {
  return (
    <>
      <p>
        <strong>{reply.applied ? "Replayed." : "Dry run: nothing was changed."}</strong>
      </p>
      <ul className="outcomes">
        {reply.outcomes.length === 0 && <li>None of them is open any more.</li>}
        {outcomeLines(reply).map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      {reply.outcomes.some((each) => each.detail) && (
        <ul className="fine-print">
          {reply.outcomes.map((each) => (
            <li key={each.id}>
              Dead letter {each.id} {outcomeText(each.outcome)}
              {each.detail && `: ${each.detail}`}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function failureText(failure: Failure): string {
  return failure.detail || "The console did not answer: look at the list before you try again.";
}

function letters(number: number): string {
  return number === 1 ? "1 dead letter" : `${number} dead letters`;
}
