import type { Failure } from "../api";

/** Announced when it appears. */
export function Problem({ text }: { text: string }) {
  return (
    <p className="problem" role="alert" hidden={text === ""}>
      {text}
    </p>
  );
}

export function problemText(failure: Failure): string {
  if (failure.status >= 400 && failure.status < 500 && failure.detail) return failure.detail;
  return "The exam platform cannot be reached. Please try again.";
}
