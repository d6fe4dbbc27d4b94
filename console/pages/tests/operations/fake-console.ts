import type { Audit, DeadLetter, LiveEvent, LivePage, Operations, ReplayReply } from "../../src/api/types";

export type FakeConsole = ReturnType<typeof createFakeConsole>;

const REACHED = { is_reached: true, detail: null, as_of: "2026-03-02T10:00:00Z" };

export const LOOKED: Operations = {
  at: "2026-03-02T10:00:00Z",
  topic: "attempt-events",
  events_in_per_s: 12.25,
  events_stored_per_s: 12,
  last_event_at: "2026-03-02T09:59:59Z",
  stored_late_by_s: 0,
  partitions: [
    { partition: 0, end: 1200, next_offset: 1200, lag: 0, consumer: "consumer-1 at 10.0.0.7" },
    { partition: 1, end: 900, next_offset: null, lag: 0, consumer: "consumer-1 at 10.0.0.7" },
  ],
  rejected: [{ code: "payload_too_large", events: 3, per_s: 0 }],
  dead_letters: { open: 2, settled: 1 },
  gateways: [{ ...REACHED, url: "http://gateway:8000" }],
  kafka: REACHED,
  database: REACHED,
};

export const LETTER: DeadLetter = {
  id: 17,
  reason: "undecodable",
  detail: "seq: Input should be a valid integer",
  topic: "attempt-events",
  partition: 3,
  record_offset: 41,
  first_seen_at: "2026-03-02T09:00:00Z",
  event_type: "QUESTION_VIEWED",
  outcome: null,
  replayed_at: null,
  shape: { id: "string", seq: "string", colour: "string" },
  expected: { id: "string", seq: "integer or null", user_id: "string" },
  faults: ["seq", "colour", "user_id"],
  value: null,
};

export const EVENT: LiveEvent = {
  id: "0198c0de-0000-7000-8000-000000000001",
  event_type: "QUESTION_VIEWED",
  source: "web",
  exam_id: "0198c0de-0000-7000-8000-00000000000e",
  event_ts: "2026-03-02T09:59:58Z",
  stored_at: "2026-03-02T09:59:59Z",
};

export const AUDIT: Audit = {
  at: "2026-03-02T10:00:00Z",
  agrees: true,
  records: 1,
  inserted: 1,
  duplicates: 0,
  dead_lettered: 0,
  suppressed: 0,
  pending: 0,
  problems: [],
};

/** What the console's API says of operations; `calls` is what was asked of it. */
export function createFakeConsole() {
  const fake = {
    calls: [] as string[],
    looked: LOOKED as Operations | undefined,
    letters: [LETTER] as DeadLetter[],
    pages: {} as Record<string, LivePage>, // of the live view, by `after`; there is nothing new after another
    audit: undefined as Audit | undefined,
    failure: undefined as { status: number; detail: string } | undefined,
    outcome: "inserted",
    fetch: async (path: RequestInfo | URL, init: RequestInit = {}) => {
      fake.calls.push(`${init.method} ${path}${init.method === "POST" ? ` ${init.body}` : ""}`);
      if (fake.failure) return Response.json(fake.failure, { status: fake.failure.status });
      const found = answer(fake, String(path), init);
      return found === undefined ? Response.json({ status: 404 }, { status: 404 }) : Response.json(found);
    },
  };
  return fake;
}

function answer(fake: FakeConsole, path: string, init: RequestInit): unknown {
  const [place = "", search] = path.replace("/api/operations", "").split("?");
  const query = new URLSearchParams(search);
  if (place === "") return fake.looked;
  if (place === "/dead-letters") return letterPage(fake.letters, query);
  if (place.startsWith("/dead-letters/")) return fake.letters.find((each) => `/dead-letters/${each.id}` === place);
  if (place === "/replays") return replay(fake, JSON.parse(String(init.body)));
  if (place === "/live") return livePageAfter(fake, query.get("after") ?? "");
  if (init.method === "POST") fake.audit = AUDIT;
  return fake.audit;
}

function livePageAfter({ pages }: FakeConsole, after: string): LivePage {
  return pages[after] ?? livePage([], after || "60");
}

function letterPage(all: DeadLetter[], query: URLSearchParams) {
  const letters = all.filter((each) => [null, each.reason].includes(query.get("reason")));
  return { total: letters.length, by_reason: { undecodable: letters.length }, letters, next: null };
}

function replay(fake: FakeConsole, { ids, apply }: { ids: number[]; apply: boolean }): ReplayReply {
  const outcomes = ids.map((id) => ({ id, outcome: fake.outcome, detail: null }));
  const settled = (each: DeadLetter) => (ids.includes(each.id) ? { ...each, outcome: fake.outcome } : each);
  if (apply) fake.letters = fake.letters.map(settled);
  return { applied: apply, outcomes, by_outcome: { [fake.outcome]: ids.length } };
}

export function livePage(events: LiveEvent[], cursor: string, more: Partial<LivePage> = {}): LivePage {
  return { cursor, events, skipped: 0, is_more_skipped: false, late_by_s: null, ...more };
}
