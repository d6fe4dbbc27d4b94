import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fetchTransport, type SendRequest, type SendResult, type Transport } from "../src/index.js";
import { memoryTransport } from "../src/testing.js";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const BODY = '{"source":"web","events":[]}';
const server = createServer();
let endpoint: string;

const answer = (respond: Answer) => server.removeAllListeners("request").on("request", respond);

const status =
  (code: number, headers: Record<string, string> = {}, body = ""): Answer =>
  (_, response) =>
    response.writeHead(code, headers).end(body);

const request = (more: Partial<SendRequest> = {}): SendRequest => ({
  endpoint,
  body: BODY,
  token: undefined,
  keepalive: false,
  signal: new AbortController().signal,
  accept: "application/json;flushes=1;retries=2",
  ...more,
});

beforeEach(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/telemetry/events`;
});

afterEach(async () => {
  server.closeAllConnections();
  await once(server.close(), "close");
});

const transports: [string, (...results: (SendResult | Promise<SendResult>)[]) => Transport][] = [
  ["fetchTransport", () => fetchTransport],
  ["memoryTransport", memoryTransport],
];

describe.each(transports)("%s", (_, answering) => {
  it("says how many were accepted and rejected", async () => {
    answer(status(202, {}, '{"accepted":3,"rejected":2}'));
    const send = answering({ kind: "accepted", accepted: 3, rejected: 2 });

    expect(await send(request())).toEqual({ kind: "accepted", accepted: 3, rejected: 2 });
  });

  it("resolves when nobody waits any more", async () => {
    answer(() => {});
    const send = answering(new Promise<never>(() => {}));
    const waiting = new AbortController();

    const sent = send(request({ signal: waiting.signal }));
    waiting.abort();

    expect(await sent).toEqual({ kind: "retry" });
  });

  it("resolves when nobody waited in the first place", async () => {
    answer(() => {});
    const send = answering(new Promise<never>(() => {}));

    expect(await send(request({ signal: AbortSignal.abort() }))).toEqual({ kind: "retry" });
  });
});

describe("fetchTransport", () => {
  it("posts the body as JSON, with the token", async () => {
    const seen: [string | undefined, IncomingMessage["headers"], string][] = [];
    answer(async (incoming, response) => {
      const chunks = await incoming.toArray();
      seen.push([incoming.method, incoming.headers, Buffer.concat(chunks).toString()]);
      response.writeHead(202).end("{}");
    });

    await fetchTransport(request({ token: "abc" }));
    await fetchTransport(request());

    const [first, second] = seen;
    expect(first).toMatchObject([
      "POST",
      {
        authorization: "Bearer abc",
        "content-type": "application/json",
        accept: "application/json;flushes=1;retries=2",
      },
      '{"source":"web","events":[]}',
    ]);
    expect(second?.[1].authorization).toBeUndefined();
  });

  it.each([408, 425, 429, 500, 502, 503, 504])("may try again after %d", async (code) => {
    answer(status(code, {}, "{}"));

    expect(await fetchTransport(request())).toEqual({ kind: "retry", status: code });
  });

  it.each([400, 401, 403, 404, 413, 422])("need not try again after %d", async (code) => {
    answer(status(code, {}, "{}"));

    expect(await fetchTransport(request())).toEqual({ kind: "refused", status: code });
  });

  it("reads why the gateway refuses", async () => {
    const reasons = [{ index: 0, code: "session_not_owned", message: "no such session of this user" }];
    answer(status(403, {}, JSON.stringify({ code: "nothing_allowed", rejected_reasons_sample: reasons })));

    expect(await fetchTransport(request())).toEqual({ kind: "refused", status: 403, code: "nothing_allowed", reasons });
  });

  it("reads Retry-After in seconds", async () => {
    answer(status(429, { "Retry-After": "7" }));

    expect(await fetchTransport(request())).toEqual({ kind: "retry", status: 429, afterMs: 7000 });
  });

  it("reads Retry-After as a date", async () => {
    answer(status(503, { "Retry-After": new Date(Date.now() + 60_000).toUTCString() }));

    const result = await fetchTransport(request());

    expect(result).toEqual({ kind: "retry", status: 503, afterMs: expect.any(Number) });
    expect((result as { afterMs: number }).afterMs).toBeGreaterThan(55_000);
  });

  it.each([
    [200, "<html>Welcome to the campus network</html>"],
    [200, ""],
    [200, "null"],
    [200, "[]"],
    [200, '"accepted"'],
    [202, "{}"],
    [202, '{"accepted":"many","rejected":0}'],
    [202, '{"accepted":3}'],
    [202, '{"accepted":3,"rejected":-1}'],
    [202, '{"ok":true}'],
    [204, ""],
  ])("takes %d with %j for no answer of the gateway", async (code, body) => {
    answer(status(code, {}, body));

    expect(await fetchTransport(request())).toEqual({ kind: "retry", status: code });
  });

  it.each([503, 404, 200])("reads a body of %d to its end, so that it keeps nothing of the quota", async (code) => {
    const response = new Response("{}", { status: code, headers: { "Cache-Control": "no-store" } });
    vi.stubGlobal("fetch", async () => response);

    await fetchTransport(request({ keepalive: true }));

    expect(response.bodyUsed).toBe(true);
  });

  it("says when the browser may have refused to let so much outlive the page", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));

    expect(await fetchTransport(request({ keepalive: true }))).toEqual({ kind: "retry", mayBeTooMuch: true });
    expect(await fetchTransport(request())).toEqual({ kind: "retry" });
  });

  it("does not take a login page for an answer", async () => {
    answer((incoming, response) => {
      if (incoming.url === "/login") response.writeHead(200).end("<form>");
      else response.writeHead(302, { Location: "/login" }).end();
    });

    expect(await fetchTransport(request())).toEqual({ kind: "retry" });
  });

  it("may try again when the connection breaks", async () => {
    answer((incoming) => incoming.socket.destroy());

    expect(await fetchTransport(request())).toEqual({ kind: "retry" });
  });

  it("resolves also when the address is none", async () => {
    expect(await fetchTransport(request({ endpoint: "http://" }))).toEqual({ kind: "retry" });
  });
});

describe("memoryTransport", () => {
  it("records what was asked of it and answers as it was told", async () => {
    const send = memoryTransport({ kind: "refused", status: 403 });
    send.answer({ kind: "retry", afterMs: 5 });

    const results = [await send(request()), await send(request({ keepalive: true })), await send(request())];

    expect(results.map(({ kind }) => kind)).toEqual(["refused", "retry", "accepted"]);
    expect(send.requests.map(({ keepalive }) => keepalive)).toEqual([false, true, false]);
    expect(send.accepted).toEqual([{ source: "web", events: [] }]);
  });
});
