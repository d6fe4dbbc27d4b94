import type { Question, SessionState, StoredEvent } from "../src/api";

/** The session service and the gateway in memory, as far as the page sees them. */
export interface FakePlatform {
  fetch: typeof fetch;
  sessionId: string;
  /** Paths of the calls so far, such as `POST /v1/login`. */
  calls: string[];
  /** Events of this session that the gateway accepted, in order. */
  events: TrackedEvent[];
  questions: Question[];
  state: SessionState;
  expiresInMs: number;
  clockSkewMs: number;
  hasConsole: boolean;
  /** Answers the next matching calls with this status; 0 is no answer. */
  failing: { path: string; status: number } | undefined;
}

export interface TrackedEvent {
  event_type: string;
  seq: number;
  question_id: string | null;
  payload: Record<string, unknown>;
}

const EXAM = { id: "01890a5d-ac96-774b-bcce-b302099a7000", title: "General knowledge" };
const PERSON = { user_id: "01890a5d-ac96-774b-bcce-b302099a0001", name: "Ada" };
const THIRTY_MINUTES_MS = 1_800_000;

const ASKED: [string, string[]][] = [
  ["Which planet takes the shortest time to go round the Sun?", ["Venus", "Mercury", "Mars", "Earth"]],
  ["How many sides does a hexagon have?", ["Five", "Six", "Seven", "Eight"]],
  ["Which ocean is the largest?", ["Atlantic", "Indian", "Pacific", "Arctic"]],
  [
    "Who wrote down the first algorithm meant for a machine?",
    ["Ada Lovelace", "Alan Turing", "Grace Hopper", "Emmy Noether"],
  ],
];
const CORRECT = 1;

export function createFakePlatform(): FakePlatform {
  const taken = new Set<string>();
  const fake: FakePlatform = {
    fetch: answerRequest,
    sessionId: crypto.randomUUID(),
    calls: [],
    events: [],
    questions: ASKED.map(([text, choices], index) => question(index + 1, text, choices)),
    state: "open",
    expiresInMs: THIRTY_MINUTES_MS,
    clockSkewMs: 0,
    hasConsole: false,
    failing: undefined,
  };

  async function answerRequest(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const path = new URL(String(input), "http://127.0.0.1:8080").pathname;
    const call = `${init?.method ?? "GET"} ${path}`;
    fake.calls.push(call);
    if (fake.failing && path.includes(fake.failing.path)) return fail(fake.failing.status);
    return json(...route(call, typeof init?.body === "string" ? JSON.parse(init.body) : {}));
  }

  function route(call: string, body: Body): [unknown, number?] {
    const under = `/v1/sessions/${fake.sessionId}`;
    if (call === "POST /v1/login") return [{ ...PERSON, name: body.name }];
    if (call === "GET /v1/me") return [PERSON];
    if (call === "GET /v1/config") {
      return [{ telemetry_url: "http://127.0.0.1:8000/v1/telemetry/events", has_console: fake.hasConsole }];
    }
    if (call === "GET /v1/exams") return [[{ ...EXAM, items: fake.questions.length, seconds: 1800 }]];
    if (call === "POST /v1/sessions") return [session(), 201];
    if (call === `GET ${under}`) return [session()];
    if (call === `POST ${under}/answer`) return answer(body);
    if (call === `POST ${under}/submit`) return submit();
    if (call === `GET ${under}/review`) return [review()];
    if (call === `GET ${under}/events`) return [stored()];
    if (call === "POST /v1/telemetry/events") return intake(body);
    return [{ title: "Not Found", status: 404, code: "not_found" }, 404];
  }

  function session() {
    const now = Date.now() + fake.clockSkewMs;
    return {
      id: fake.sessionId,
      exam: EXAM,
      state: fake.state,
      server_now: new Date(now).toISOString(),
      expires_at: new Date(now + fake.expiresInMs).toISOString(),
      questions: fake.questions,
    };
  }

  function answer({ question_id, choice, marked }: Body): [unknown, number?] {
    if (fake.state !== "open") return [{ status: 409, code: `session_${fake.state}` }, 409];
    fake.questions = fake.questions.map((each) =>
      each.id === question_id ? { ...each, choice: choice ?? each.choice, marked: marked ?? each.marked } : each,
    );
    const now = fake.questions.find((each) => each.id === question_id);
    return [{ question_id, choice: now?.choice, marked: now?.marked }];
  }

  function submit(): [unknown, number?] {
    if (fake.state === "expired") return [{ status: 409, code: "session_expired" }, 409];
    fake.state = "submitted";
    return [{ state: "submitted", answered: review().answered }];
  }

  function review() {
    const isOpen = fake.state === "open";
    const questions = fake.questions.map((each) => ({ ...each, correct: isOpen ? null : CORRECT }));
    const count = (test: (each: Question) => boolean) => fake.questions.filter(test).length;
    return {
      state: fake.state,
      answered: count((each) => each.choice !== null),
      marked: count((each) => each.marked),
      items: fake.questions.length,
      score: isOpen ? null : count((each) => each.choice === CORRECT),
      questions,
    };
  }

  function stored() {
    return { total: fake.events.length, events: fake.events.map(asStored).reverse().slice(0, 50) };
  }

  function intake({ stream_id, events = [] }: Body): [unknown, number] {
    const isNew = (sent: SentEvent) => !taken.has(`${stream_id} ${sent.seq}`);
    fake.events.push(...events.filter((sent) => sent.session_id === fake.sessionId && isNew(sent)));
    for (const { seq } of events) taken.add(`${stream_id} ${seq}`);
    return [{ accepted: events.length, rejected: 0, rejected_reasons_sample: [] }, 202];
  }

  return fake;
}

interface SentEvent extends TrackedEvent {
  session_id: string;
}

interface Body {
  name?: string;
  question_id?: string;
  choice?: number;
  marked?: boolean;
  stream_id?: string;
  events?: SentEvent[];
}

function question(pos: number, text: string, choices: string[]): Question {
  return { id: `01890a5d-ac96-774b-bcce-b302099a800${pos}`, pos, text, choices, choice: null, marked: false };
}

function asStored(event: TrackedEvent): StoredEvent {
  const time = new Date().toISOString();
  return { ...event, id: String(event.seq), event_ts: time, client_ts: time, source: "web", stored_after_ms: 140 };
}

function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { "Content-Type": "application/json" } });
}

function fail(status: number): Response {
  if (status === 0) throw new TypeError("Failed to fetch");
  return json({ status, title: "Failing", detail: "" }, status);
}
