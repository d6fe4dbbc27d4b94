/** Times as a reader has them: since the beginning, and by the clock of where they are. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export interface Clock {
  /** "+12:03.4", and "+1:02:03.4" from an hour on: since the beginning. Nothing where there is no beginning. */
  since: (at: string) => string;
  /** "10:12:03.4", with the day in front where it is another one than that of the beginning. */
  time: (at: string) => string;
  /** "26 Nov 2026, 20:14:03". */
  moment: (at: string) => string;
  /** "Europe/Berlin, UTC+1", as it is at the beginning. */
  zone: string;
}

export function createClock(
  beganAt: string | null,
  timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone,
): Clock {
  const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat("en-GB", { timeZone, ...options });
  const day = format({ day: "numeric", month: "short", year: "numeric" });
  const tenths = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 1 });
  const seconds = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const began = beganAt === null ? null : Date.parse(beganAt);
  const firstDay = began === null ? null : day.format(began);
  const dayOf = (at: number) => (day.format(at) === firstDay ? "" : `${day.format(at)}, `);
  return {
    since: (at) => (began === null ? "" : sinceText(Date.parse(at) - began)),
    time: (at) => dayOf(Date.parse(at)) + tenths.format(Date.parse(at)),
    moment: (at) => `${day.format(Date.parse(at))}, ${seconds.format(Date.parse(at))}`,
    zone: `${timeZone}${offsetText(began ?? Date.now(), timeZone)}`,
  };
}

/** "+12:03.4" of so many milliseconds; rounded down, so that it never runs ahead of the absolute time beside it. */
export function sinceText(ms: number): string {
  const whole = Math.floor(Math.abs(ms) / 100);
  const [hours, minutes] = [Math.floor((whole * 100) / HOUR), Math.floor((whole * 100) / MINUTE) % 60];
  const rest = ((whole % 600) / 10).toFixed(1).padStart(4, "0");
  const clock = hours ? `${hours}:${two(minutes)}:${rest}` : `${two(minutes)}:${rest}`;
  return `${ms < 0 ? "−" : "+"}${clock}`;
}

/** The same without tenths, for an axis. */
export function axisText(ms: number): string {
  return sinceText(ms).replace(/\.\d$/, "");
}

/** Tell by how much an event may have happened earlier: rounded up, as it is a bound. Nothing for one that is exact. */
export function boundText(lateByMs: number | null): string {
  if (lateByMs === null) return "nobody can say how much earlier";
  return lateByMs > 0 ? `up to ${boundOf(lateByMs)} earlier` : "";
}

function boundOf(ms: number): string {
  if (ms <= MINUTE) return `${(Math.ceil(ms / 100) / 10).toFixed(1)} s`;
  if (ms > HOUR) return `${Math.floor(Math.ceil(ms / MINUTE) / 60)} h ${Math.ceil(ms / MINUTE) % 60} min`;
  const seconds = Math.ceil(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function offsetText(at: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone, timeZoneName: "shortOffset" }).formatToParts(at);
  const offset = parts.find((part) => part.type === "timeZoneName")?.value.replace("GMT", "UTC");
  return offset === undefined || timeZone === "UTC" ? "" : `, ${offset}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
