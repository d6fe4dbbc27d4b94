export interface Point {
  at: number; // milliseconds
  value: number | null;
}

const WIDTH = 300;
const HEIGHT = 56;
const INSET = 2; // half of the line's width, and a little
const LONGEST_STEP_MS = 10_000; // between two looks; where nobody looked for longer, nobody knows

/** A line of its points from 0 to the greatest. It says nothing that the text beside it does not say. */
export function Sparkline({ points }: { points: readonly Point[] }) {
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path className="sparkline-ground" d={`M0 ${HEIGHT - INSET}H${WIDTH}`} />
      <path className="sparkline-line" d={pathOf(points)} />
    </svg>
  );
}

/** The line as an SVG path, broken where a value is unknown or nobody looked. */
export function pathOf(points: readonly Point[]): string {
  const first = points[0]?.at ?? 0;
  const wide = Math.max((points.at(-1)?.at ?? 0) - first, 1);
  const high = Math.max(...points.map((point) => point.value ?? 0), 1);
  const x = (at: number) => round(((at - first) / wide) * WIDTH);
  const y = (value: number) => round(HEIGHT - INSET - (value / high) * (HEIGHT - 2 * INSET));
  let before: Point | undefined;
  const steps = points.map((point) => {
    const isJoined = before && before.value !== null && point.at - before.at <= LONGEST_STEP_MS;
    before = point;
    return point.value === null ? "" : `${isJoined ? "L" : "M"}${x(point.at)} ${y(point.value)}`;
  });
  return steps.join("");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
