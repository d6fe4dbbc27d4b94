import { stepFor } from "./time-axis";

export interface Bin {
  from: number; // milliseconds, included
  to: number; // not included
  sessions: number;
}

const MOST_BINS = 16;
const LEAST_BINS = 4;

/** Bins of one width from the first to the last time; none without a time. */
export function histogram(times: readonly number[]): Bin[] {
  if (times.length === 0) return [];
  const [least, most] = times.reduce(([low, high], time) => [Math.min(low, time), Math.max(high, time)], [
    Number.POSITIVE_INFINITY,
    0,
  ] as [number, number]);
  const step = stepFor(most - least + 1, binsFor(times.length) - 1);
  const first = Math.floor(least / step);
  const bins = Array.from({ length: Math.floor(most / step) - first + 1 }, (_, index) => ({
    from: (first + index) * step,
    to: (first + index + 1) * step,
    sessions: 0,
  }));
  for (const time of times) {
    const bin = bins[Math.floor(time / step) - first];
    if (bin) bin.sessions += 1;
  }
  return bins;
}

/** Rice's rule: twice the cube root; in more bins, few times show chance only. */
function binsFor(times: number): number {
  return Math.max(LEAST_BINS, Math.min(MOST_BINS, Math.ceil(2 * Math.cbrt(times))));
}

export function medianOf(times: readonly number[]): number | null {
  const sorted = times.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}
