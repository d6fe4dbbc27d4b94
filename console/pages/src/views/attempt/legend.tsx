import { absenceMeaning } from "./event-words";

/** What the words of the timeline mean, and what they do not; printed with it. */
export function Legend({ isOwn }: { isOwn: boolean }) {
  return (
    <section className="card panel attempt-legend" aria-labelledby="legend">
      <h2 id="legend">How to read this</h2>
      <dl>
        {entries(isOwn).map(([term, meaning]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function entries(isOwn: boolean): [string, string][] {
  const who = isOwn ? "you" : "the candidate";
  return [
    [
      "Page, Service",
      `Page: what the exam's page in ${isOwn ? "your" : "the candidate's"} browser told. Service: what the exam's servers told.`,
    ],
    [
      "Time",
      "By the server's clock. A page's event stands at the latest moment at which it can have happened; “up to 3.2 s earlier” says how much before that it may have been. When that reaches back over a line of the service, nobody can say which of the two came first.",
    ],
    ["Absence", absenceMeaning(isOwn)],
    [
      "Missing numbers",
      "A page numbers its events. A number that is not there is an event that is not stored: it may have been any. It does not say why it is missing.",
    ],
    [
      "Refused (dead letter)",
      "Something came and could not be stored as an event. It is kept with the reason. It may be another program's mistake, and is not what happened until it is stored.",
    ],
    ["Given up", "The page itself told that it could not keep or send so many events. It does not tell which."],
    [
      "Load",
      `One load of the exam's page, or one device. Another one is a reload, a tab, a window or a device: the events do not say which, nor who opened it.`,
    ],
    [
      "Clock set",
      "The clock of the device was changed between two events, by somebody or by itself. Their order holds.",
    ],
    [
      "Came late",
      `The page sends within some seconds. What came later waited: for a connection, a server, or a device that slept. It does not say that ${who} did anything.`,
    ],
    [
      "What no log shows",
      "An event that a page never sent at its very end leaves no gap. Of what happened outside of the page the events say nothing.",
    ],
  ];
}
