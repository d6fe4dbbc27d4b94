import type { SaveState } from "../answers";
import { CheckIcon } from "./icons";

const TEXTS: Record<SaveState, string> = {
  saved: "Saved",
  saving: "Saving…",
  waiting: "Not saved yet. Trying again…",
};

/** Empty as long as there is nothing to save. */
export function SaveNote({ state, isUsed }: { state: SaveState; isUsed: boolean }) {
  const isShown = isUsed || state !== "saved";
  return (
    <p className={`save-note save-note-${state}`} role="status">
      {isShown && state === "saved" && <CheckIcon />}
      {isShown && TEXTS[state]}
    </p>
  );
}
