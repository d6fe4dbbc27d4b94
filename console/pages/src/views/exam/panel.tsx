import { type ReactNode, useId } from "react";
import { MEANINGS, type MeaningOf } from "./meanings";

interface PanelProps {
  title: string;
  meaning: MeaningOf;
  /** The chart, and what stands above it. */
  chart?: ReactNode;
  /** The same numbers, with links to the sessions behind them. */
  table: ReactNode;
}

export function Panel({ title, meaning, chart, table }: PanelProps) {
  const id = useId();
  return (
    <section className="card panel" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        <Means meaning={meaning} />
      </header>
      {chart ? (
        <div className="chart-and-table">
          <div>{chart}</div>
          {table}
        </div>
      ) : (
        table
      )}
    </section>
  );
}

export function Means({ meaning }: { meaning: MeaningOf }) {
  const { is, isNot } = MEANINGS[meaning];
  return (
    <p className="means">
      {is} {isNot}
    </p>
  );
}

/** A number, and the sessions behind it; there are none behind 0. */
export function Linked({ to, zero, children }: { to: string; zero?: boolean; children: ReactNode }) {
  return zero ? children : <a href={to}>{children}</a>;
}

export interface LegendEntry {
  name: string;
  series: 1 | 2 | 3 | 4 | "rest";
  mark?: "bar" | "tick";
}

export function Legend({ entries }: { entries: readonly LegendEntry[] }) {
  return (
    <ul className="legend" aria-hidden="true">
      {entries.map(({ name, series, mark = "bar" }) => (
        <li key={name}>
          <span className={`swatch swatch-${series} swatch-${mark}`} />
          {name}
        </li>
      ))}
    </ul>
  );
}
