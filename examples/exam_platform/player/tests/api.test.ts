import { describe, expect, it, vi } from "vitest";
import { createApi, isTransient } from "../src/api";

function answering(status: number, body: string) {
  const send = vi.fn<typeof fetch>(async () => new Response(body, { status }));
  return { api: createApi(send), send };
}

describe("a call", () => {
  it("returns the answer", async () => {
    const { api } = answering(200, '{"user_id":"u","name":"Ada"}');
    expect(await api.me()).toEqual({ ok: true, value: { user_id: "u", name: "Ada" } });
  });

  it("sends a change as JSON to the session's own address", async () => {
    const { api, send } = answering(200, "{}");
    await api.answer("s/1", "q", { choice: 2 });
    const [path, init] = send.mock.calls[0] ?? [];
    expect(path).toBe("/v1/sessions/s%2F1/answer");
    expect(init).toMatchObject({ method: "POST", body: '{"question_id":"q","choice":2}' });
  });

  it("returns a refusal with its reason", async () => {
    const { api } = answering(400, '{"status":400,"detail":"The name is too long."}');
    expect(await api.login("x")).toEqual({ ok: false, status: 400, detail: "The name is too long." });
  });

  it("returns status 0 when nobody answers", async () => {
    const api = createApi(() => Promise.reject(new TypeError("Failed to fetch")));
    expect(await api.me()).toEqual({ ok: false, status: 0, detail: "" });
  });

  it.each([
    [200, 0],
    [502, 502],
  ])("takes a page in place of JSON with status %i as a failure", async (status, reported) => {
    const { api } = answering(status, "<html>Bad gateway</html>");
    expect(await api.me()).toEqual({ ok: false, status: reported, detail: "" });
  });
});

it.each([
  [0, true],
  [408, true],
  [429, true],
  [500, true],
  [503, true],
  [400, false],
  [401, false],
  [404, false],
  [409, false],
])("status %i may do better later: %s", (status, expected) => {
  expect(isTransient({ ok: false, status, detail: "" })).toBe(expected);
});
