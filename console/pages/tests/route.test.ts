import { describe, expect, it } from "vitest";
import { hrefs, parseRoute } from "../src/route";

const ID = "0198c0de-0000-7000-8000-000000000001";

describe("parseRoute", () => {
  it("reads the addresses that hrefs makes", () => {
    expect(parseRoute(hrefs.exam(ID, "?group=a"))).toMatchObject({ view: "exam", id: ID });
    expect(parseRoute(hrefs.sessions(ID))).toMatchObject({ view: "sessions", id: ID });
    expect(parseRoute(hrefs.attempt(ID))).toMatchObject({ view: "attempt", id: ID });
    expect(parseRoute(hrefs.operations())).toMatchObject({ view: "operations", part: "overview" });
    expect(parseRoute(hrefs.operations("live"))).toMatchObject({ view: "operations", part: "live" });
    expect(parseRoute(hrefs.accesses)).toEqual({ view: "accesses" });
  });

  it("keeps the filters", () => {
    const route = parseRoute(hrefs.exam(ID, "?group=a%20b&from=2026-01-01"));
    expect(route.view === "exam" && route.query.get("group")).toBe("a b");
  });

  it.each(["", "#/", "#/exams/1", "#/sessions/", "#/operations/nothing", "#token=x"])(
    "%j is the start page",
    (hash) => {
      expect(parseRoute(hash)).toEqual({ view: "start" });
    },
  );
});
