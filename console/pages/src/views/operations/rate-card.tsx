import type { Sample } from "./history";
import { Sparkline } from "./sparkline";
import { rate, span } from "./words";

interface RateCardProps {
  title: string;
  now: number | null;
  samples: readonly Sample[];
  of: "events_in" | "stored";
}

/** A rate now, and what it was since the page was opened: as a line, in words, and as a table. */
export function RateCard({ title, now, samples, of }: RateCardProps) {
  return (
    <section className="card panel rate" aria-label={`${title} per second`}>
      <h2>{title}</h2>
      <p className="rate-now">
        {now === null ? <span className="unknown">not known</span> : rate(now)}
        {now !== null && <span className="rate-unit">per second</span>}
      </p>
      <Sparkline points={samples.map((sample) => ({ at: sample.at, value: sample[of] }))} />
      <p className="fine-print">{summary(samples, of)}</p>
      <details>
        <summary>The numbers</summary>
        <Numbers title={title} samples={samples} of={of} />
      </details>
    </section>
  );
}

function Numbers({ title, samples, of }: Omit<RateCardProps, "now">) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section className="scroll numbers" tabIndex={0} aria-label={`${title} per second, by time`}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time (UTC)</th>
            <th scope="col" className="number">
              per second
            </th>
          </tr>
        </thead>
        <tbody>
          {samples.toReversed().map((sample) => (
            <tr key={sample.at}>
              <td>{new Date(sample.at).toISOString().slice(11, 19)}</td>
              <td className="number">{rate(sample[of])}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Exported for its test. */
export function summary(samples: readonly Sample[], of: RateCardProps["of"]): string {
  const known = samples.map((sample) => sample[of]).filter((value) => value !== null);
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || !known.length) return "Two looks make a rate: there is none yet.";
  if (first.at === last.at) return "One look so far.";
  return `In the last ${span((last.at - first.at) / 1000)}: ${rate(Math.min(...known))} to ${rate(Math.max(...known))}.`;
}
