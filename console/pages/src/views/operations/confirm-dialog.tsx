import { type ReactNode, useEffect, useRef } from "react";

interface ConfirmDialogProps {
  title: string;
  /** What is done, on the button that does it. */
  action: string;
  onConfirm: () => void;
  onCancel: () => void;
  children: ReactNode;
}

/** A modal question: Escape and "Cancel" leave all as it is, and the focus goes back where it was. */
export function ConfirmDialog({ title, action, onConfirm, onCancel, children }: ConfirmDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opened = dialog.current;
    const before = document.activeElement;
    opened?.showModal();
    return () => {
      opened?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className="card confirm"
      aria-labelledby="confirm-title"
      onCancel={(event) => {
        event.preventDefault(); // it leaves with the component
        onCancel();
      }}
    >
      <h2 id="confirm-title">{title}</h2>
      {children}
      <div className="actions">
        {/* biome-ignore lint/a11y/noAutofocus: the harmless button has the focus when the dialog opens */}
        <button type="button" className="secondary" autoFocus onClick={onCancel}>
          Cancel
        </button>
        <button type="button" className="primary" onClick={onConfirm}>
          {action}
        </button>
      </div>
    </dialog>
  );
}
