import type { Operations, Reached } from "../../api/types";
import { moment } from "./words";

interface Place extends Reached {
  name: string;
  meaning: string;
}

/** What the console reaches, and what it means where it does not. */
export function ReachList({ looked }: { looked: Operations }) {
  return (
    <section className="card panel" aria-labelledby="reached">
      <h2 id="reached">What can be reached from here</h2>
      <ul className="reach">
        {places(looked).map((place) => (
          <li key={place.name} className={place.is_reached ? undefined : "reach-away"}>
            <p>
              <strong>{place.name}</strong> {place.is_reached ? "is reached" : "is not reached"}
            </p>
            {!place.is_reached && <Away place={place} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Away({ place }: { place: Place }) {
  const since = place.as_of === null ? "It was not reached yet." : `Figures of it are of ${moment(place.as_of)}.`;
  return (
    <>
      {place.detail && <p>{place.detail}</p>}
      <p className="quiet">
        {place.meaning} {since}
      </p>
    </>
  );
}

function places({ kafka, database, gateways }: Operations): Place[] {
  return [
    { ...kafka, name: "Kafka", meaning: "What comes in, and what waits, is not known now." },
    { ...database, name: "PostgreSQL", meaning: "What is stored, and dead letters, are not known now." },
    ...gateways.map((each) => ({
      ...each,
      name: `Gateway ${each.url}`,
      meaning: "What it rejects is not known now; whether it takes events cannot be said from here.",
    })),
  ];
}
