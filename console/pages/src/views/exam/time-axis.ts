/** Times in steps that people use. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((step) => step * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((step) => step * MINUTE),
  ...[1, 2, 3, 6, 12, 24].map((step) => step * HOUR),
];

/** The smallest step of which `most` reach `ms`; from a day on, so many days. */
export function stepFor(ms: number, most: number): number {
  const day = 24 * HOUR;
  return STEPS.find((step) => ms <= step * most) ?? day * Math.ceil(ms / (day * most));
}

export function ticksTo(ms: number, most: number): number[] {
  const step = stepFor(ms, most);
  return Array.from({ length: Math.ceil(ms / step) + 1 }, (_, index) => index * step);
}

export function ticksBetween(first: number, last: number, most: number): number[] {
  const step = stepFor(last - first, most);
  const from = Math.ceil(first / step);
  return Array.from({ length: Math.floor(last / step) - from + 1 }, (_, index) => (from + index) * step);
}

/** A whole number of seconds, without the parts that are none: "0", "30 s", "2 min", "1 h 30 min". */
export function tickText(ms: number): string {
  const parts: [number, string][] = [
    [Math.floor(ms / HOUR), "h"],
    [Math.floor(ms / MINUTE) % 60, "min"],
    [Math.round(ms / SECOND) % 60, "s"],
  ];
  const given = parts.filter(([value]) => value > 0).map(([value, unit]) => `${value} ${unit}`);
  return given.join(" ") || "0";
}
