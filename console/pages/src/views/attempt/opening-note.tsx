import type { FormEvent } from "react";
import { go, hrefs } from "../../route";

const MOST_CHARACTERS = 500; // that the record takes

/** Says that the opening is recorded, and takes a reason: the page is then read once more, with it. */
export function OpeningNote({ id, why, isOpened }: { id: string; why: string; isOpened: boolean }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("why") ?? "").trim();
    go(hrefs.attempt(id) + (reason && `?${new URLSearchParams({ why: reason })}`));
  };
  return (
    <form className="opening no-print" onSubmit={submit}>
      <p>
        {recordedText(isOpened, why)} <span className="quiet">The record has who, when and why, and is kept.</span>
      </p>
      <div className="opening-reason">
        <label htmlFor="why">Reason for looking (optional)</label>
        <input id="why" name="why" defaultValue={why} maxLength={MOST_CHARACTERS} autoComplete="off" />
        <button type="submit" className="secondary">
          Record the reason
        </button>
      </div>
      <p className="fine-print">
        In one line, and without anybody's id: the record outlives what is stored of a person. The attempt is read once
        more with it, which is recorded, too.
      </p>
    </form>
  );
}

function recordedText(isOpened: boolean, why: string): string {
  if (!isOpened) return "Opening an attempt is recorded.";
  return why
    ? "That you opened this attempt is recorded, with your reason."
    : "That you opened this attempt is recorded.";
}
