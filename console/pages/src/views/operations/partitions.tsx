import type { Operations } from "../../api/types";
import { count } from "../../words";
import { isCurrent } from "./words";

/** What waits of each partition, and who is to store it. */
export function Partitions({ looked }: { looked: Operations }) {
  return (
    <section className="card panel" aria-labelledby="partitions">
      <h2 id="partitions">Lag by partition</h2>
      {looked.partitions.length > 0 && !isCurrent(looked) && (
        <p className="quiet">As it was when Kafka and PostgreSQL were last reached; see below.</p>
      )}
      {looked.partitions.length ? <PartitionTable looked={looked} /> : <p className="quiet">{nothing(looked)}</p>}
    </section>
  );
}

function PartitionTable({ looked }: { looked: Operations }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section className="scroll" tabIndex={0} aria-label="Lag by partition, as a table">
      <table className="partitions">
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col" className="number">
              Lag
            </th>
            <th scope="col">Consumer</th>
            <th scope="col" className="number wide-only">
              Next to store
            </th>
            <th scope="col" className="number wide-only">
              End in Kafka
            </th>
          </tr>
        </thead>
        <tbody>
          {looked.partitions.map((each) => (
            <tr key={each.partition}>
              <th scope="row">{each.partition}</th>
              <td className="number">{each.lag === null ? "not known" : count(each.lag)}</td>
              <td className="consumer">{each.consumer ?? "nobody"}</td>
              <td className="number wide-only">{each.next_offset === null ? "–" : count(each.next_offset)}</td>
              <td className="number wide-only">{count(each.end)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function nothing({ kafka, topic }: Operations): string {
  return kafka.is_reached ? `Kafka has no topic ${topic}.` : "Not known: Kafka was not reached yet.";
}
