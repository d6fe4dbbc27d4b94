import type { Absence } from "../../api/types";
import { Figure } from "../../figures/figure";
import { duration } from "../../words";
import type { Clock } from "./clock";
import { absenceMeaning } from "./event-words";

interface AbsencesTableProps {
  absences: Absence[];
  isComplete: boolean;
  clock: Clock;
  isOwn: boolean;
}

export function AbsencesTable({ absences, isComplete, clock, isOwn }: AbsencesTableProps) {
  return (
    <section className="card panel" aria-labelledby="absences">
      <h2 id="absences">Absences of the focus</h2>
      {absences.length === 0 ? (
        <p>{isComplete ? "The page told of none." : "None is stored; the log is not complete."}</p>
      ) : (
        <table className="stacked">
          <thead>
            <tr>
              <th scope="col">The page lost the focus</th>
              <th scope="col">Had it again</th>
              <th scope="col" className="number">
                Length
              </th>
              <th scope="col">Meanwhile</th>
            </tr>
          </thead>
          <tbody>
            {absences.map((absence) => (
              <tr key={`${absence.stream_id} ${absence.left_at} ${absence.back_at}`}>
                <td data-label="Lost">
                  <Moment at={absence.left_at} clock={clock} otherwise="not told in this load of the page" />
                </td>
                <td data-label="Had again">
                  <Moment at={absence.back_at} clock={clock} otherwise="no return is stored" />
                </td>
                <td className="number" data-label="Length">
                  <Figure value={absence.away_ms} reason={absence.reason}>
                    {duration}
                  </Figure>
                </td>
                <td data-label="Meanwhile">
                  {absence.in_another_tab ? "another load of the exam's page told of events" : "–"}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p className="fine-print">{absenceMeaning(isOwn)} Firefox may tell of none when only the window changes.</p>
    </section>
  );
}

function Moment({ at, clock, otherwise }: { at: string | null; clock: Clock; otherwise: string }) {
  if (at === null) return <span className="quiet">{otherwise}</span>;
  return (
    <time dateTime={at}>
      <span className="line-since">{clock.since(at)}</span> <span className="quiet">{clock.time(at)}</span>
    </time>
  );
}
