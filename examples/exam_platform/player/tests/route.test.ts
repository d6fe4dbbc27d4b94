import { expect, it } from "vitest";
import { parseRoute, sessionHref } from "../src/route";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";

it.each(["exam", "review"] as const)("leads to the %s page of a session and back", (page) => {
  expect(parseRoute(sessionHref(ID, page))).toEqual({ view: "session", id: ID, page });
});

it.each(["", "#/", "#/sessions/", "#/sessions/17", `#/sessions/${ID}/else`, `#/sessions/${ID}/review/x`])(
  "takes the address %j for the start page",
  (hash) => {
    expect(parseRoute(hash)).toEqual({ view: "start" });
  },
);
