/** Numbers, durations and reasons in words; docs/indicators.md has the same reasons. */

const REASONS: Record<string, string> = {
  gap: "a number of a stream is missing",
  dead_letter: "an event is a dead letter",
  dropped: "the page dropped events",
  unnumbered: "the page sends no numbers",
  no_end: "no end",
  clock_set: "the page's clock was set",
  chain: "an answer does not replace the one before it",
  not_viewed: "not viewed",
  not_answered: "not answered",
  no_action: "no action",
  order_unknown: "the clocks contradict each other",
  not_measured: "not measured",
  not_back: "not back",
  no_key: "no key",
  no_marks: "no session whose answers are all known",
  no_spread: "all marks are alike",
  too_few: "fewer than 30 times",
  not_shown: "not shown to candidates",
};

export function reasonText(reason: string | null): string {
  return reason === null ? "not known" : (REASONS[reason] ?? reason);
}

/** 62,500 ms is "1 min 2.5 s", 900 "0.9 s". */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 100) / 10;
  if (seconds < 60) return `${seconds} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${rest} s`;
}

export function count(value: number): string {
  return value.toLocaleString("en");
}
