import type { Access } from "../../api/types";
import { hrefs } from "../../route";

const WHEN = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const COMMANDS: Record<string, string> = { console: "the attempt, in this console" };

export function AccessTable({ accesses }: { accesses: Access[] }) {
  return (
    <div className="card panel">
      <table className="stacked">
        <caption className="quiet">
          Newest first. Times are of {Intl.DateTimeFormat().resolvedOptions().timeZone}.
        </caption>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">With what</th>
            <th scope="col">Whose data</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {accesses.map((access, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: an entry has no id, and a page of them never changes
            <AccessRow key={index} access={access} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AccessRow({ access }: { access: Access }) {
  return (
    <tr>
      <td data-label="When" className="access-when">
        <time dateTime={access.at} title={new Date(access.at).toISOString()}>
          {WHEN.format(Date.parse(access.at))}
        </time>
      </td>
      <td data-label="Who" className="access-id">
        {access.by}
      </td>
      <td data-label="With what">{COMMANDS[access.command] ?? <code>attemptlog {access.command}</code>}</td>
      <td data-label="Whose data" className="access-id">
        <Subject access={access} />
      </td>
      <td data-label="Why">{access.reason ?? <span className="quiet">not said</span>}</td>
    </tr>
  );
}

function Subject({ access: { subject_kind, subject, is_pseudonym } }: { access: Access }) {
  if (subject === null) return "everybody's";
  if (is_pseudonym) return `${subject_kind} purged since, pseudonym ${subject}`;
  if (subject_kind !== "session") return `${subject_kind} ${subject}`;
  return (
    <>
      session <a href={hrefs.attempt(subject)}>{subject}</a>
    </>
  );
}
