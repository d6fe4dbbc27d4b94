/** Which sessions a page is about: kept in its address, so that it can be shared, and passed on to the API as it is. */

const NAMES = ["from", "to", "group"] as const;
export type Filter = Partial<Record<(typeof NAMES)[number], string>>;

export function filterOf(query: URLSearchParams): Filter {
  return Object.fromEntries(NAMES.flatMap((name) => (query.get(name) ? [[name, query.get(name)]] : [])));
}

export function isFiltered(filter: Filter): boolean {
  return NAMES.some((name) => filter[name]);
}

/** The reader's local time for an input, to the minute; nothing for what is no time. */
export function toLocal(iso: string | undefined): string {
  const time = new Date(iso ?? "");
  if (Number.isNaN(time.getTime())) return "";
  const local = new Date(time.getTime() - 60_000 * time.getTimezoneOffset());
  return local.toISOString().slice(0, 16);
}

/** What an input holds as a moment that is the same for every reader. */
export function fromLocal(value: string): string | undefined {
  const time = new Date(value);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString().replace(".000Z", "Z");
}
