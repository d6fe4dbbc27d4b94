import { useEffect } from "react";

export type Shortcuts = Readonly<Record<string, () => void>>;

const TYPING = "input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]";

/** Single keys, which mean nothing with a modifier, while somebody types, or while a dialog is open. */
export function useShortcuts(shortcuts: Shortcuts, isOn: boolean): void {
  useEffect(() => {
    if (!isOn) return;
    const onKeyDown = (event: KeyboardEvent) => {
      const run = shortcuts[event.key.toLowerCase()];
      if (!run || isMeantOtherwise(event)) return;
      event.preventDefault();
      run();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [shortcuts, isOn]);
}

function isMeantOtherwise(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return true;
  if (event.isComposing || event.repeat || event.defaultPrevented) return true;
  const isTyping = event.target instanceof Element && event.target.closest(TYPING) !== null;
  return isTyping || document.querySelector("dialog[open]") !== null;
}
