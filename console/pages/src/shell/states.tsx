import type { ReactNode } from "react";
import type { Answer } from "../api/use-answer";

/** What a page shows before there is an answer. */
export function Loading() {
  return (
    <p className="state" role="status">
      Loading …
    </p>
  );
}

export function Welcome() {
  return (
    <main className="state">
      <h1>attemptlog console</h1>
      <p>Nobody is logged in. Come in by the link that your exam platform gives you.</p>
    </main>
  );
}

export function Unreachable({ again }: { again: () => void }) {
  return (
    <div className="state" role="alert">
      <p>The console cannot be reached, or cannot reach its database.</p>
      <button type="button" className="secondary" onClick={again}>
        Try again
      </button>
    </div>
  );
}

export function Empty({ children }: { children: ReactNode }) {
  return <p className="state quiet">{children}</p>;
}

/**
 * What is common to all that is asked for: loading, not there (or not yours: nobody is told which), an error, and an
 * answer that is shown although a later look failed.
 */
export function Answered<T>({ answer, children }: { answer: Answer<T>; children: (value: T) => ReactNode }) {
  const { value, failure } = answer;
  if (value !== undefined) {
    return (
      <>
        {failure && <Late since={answer.since} again={answer.again} />}
        {children(value)}
      </>
    );
  }
  if (failure?.status === 404) return <Empty>There is no such page, or it is not for you.</Empty>;
  if (failure?.status === 401) return <Empty>You are logged out. Come in again by your exam platform's link.</Empty>;
  if (failure?.detail && failure.status < 500) return <Empty>{failure.detail}</Empty>;
  return failure ? <Unreachable again={answer.again} /> : <Loading />;
}

function Late({ since, again }: { since: number | undefined; again: () => void }) {
  const time = since === undefined ? "earlier" : new Date(since).toLocaleTimeString();
  return (
    <p className="late" role="status">
      As of {time}: the last look failed.{" "}
      <button type="button" className="link" onClick={again}>
        Look again
      </button>
    </p>
  );
}
