import { type FormEvent, useState } from "react";
import { go, hrefs, parseRoute } from "../../route";
import { Heading } from "../heading";

/** A candidate has no list here: the platform links to the session, or its id is known. */
export function OwnSession({ platformUrl }: { platformUrl: string | null }) {
  const [fault, setFault] = useState("");
  const open = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const href = hrefs.attempt(String(new FormData(event.currentTarget).get("session")).trim());
    const isId = parseRoute(href).view === "attempt";
    setFault(isId ? "" : "This is no session id: it has 32 digits or letters from a to f, in five groups.");
    if (isId) go(href);
  };
  return (
    <>
      <div className="page-head">
        <Heading pageKey="own" title="Your sessions – attemptlog">
          Your sessions
        </Heading>
      </div>
      <form className="card panel own" onSubmit={open} noValidate>
        <p>
          After an exam, {platformUrl ? <a href={platformUrl}>your exam platform</a> : "your exam platform"} links to
          what was recorded of your session. It is the page that an examiner sees, too.
        </p>
        <label>
          Or enter the session's id
          <input
            name="session"
            required
            autoComplete="off"
            spellCheck={false}
            aria-invalid={fault !== ""}
            aria-describedby={fault ? "fault" : undefined}
          />
        </label>
        {fault && (
          <p id="fault" role="alert">
            {fault}
          </p>
        )}
        <button type="submit" className="primary">
          Open
        </button>
      </form>
    </>
  );
}
