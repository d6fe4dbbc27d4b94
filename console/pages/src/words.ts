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
  if (hours) return `${hours} h ${minutes} min`;
  return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
}

export function count(value: number): string {
  return value.toLocaleString("en");
}

/** 0.834 is "83 %", 0.004 "0.4 %". */
export function percent(share: number): string {
  const value = 100 * share;
  return `${value !== 0 && Math.abs(value) < 1 ? value.toFixed(1) : Math.round(value)} %`;
}

/** To the whole, with a minus that is as wide as a digit. */
export function signed(value: number): string {
  return value
    .toFixed(0)
    .replace(/^-(?=0$)/, "")
    .replace("-", "−");
}

export function sessionsText(sessions: number): string {
  return sessions === 1 ? "1 session" : `${count(sessions)} sessions`;
}

const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** A time of the API as the reader's clock shows it, such as "2 Mar 2026, 09:14". */
export function moment(iso: string): string {
  return MOMENT.format(new Date(iso));
}
