import { describe, expect, it } from "vitest";
import type { Operations } from "../../src/api/types";
import { createHistory } from "../../src/views/operations/history";
import { summary } from "../../src/views/operations/rate-card";
import { pathOf } from "../../src/views/operations/sparkline";
import { rate, span, standing } from "../../src/views/operations/words";
import { LOOKED } from "./fake-console";

const AWAY = { is_reached: false, detail: "Kafka does not answer.", as_of: "2026-03-02T09:58:00Z" };
const PARTITION = { partition: 0, end: 1500, next_offset: 200, lag: 1300, consumer: "consumer-1 at 10.0.0.7" };

function looked(changes: Partial<Operations>): Operations {
  return { ...LOOKED, ...changes };
}

describe("standing", () => {
  it("says that all is stored", () => {
    expect(standing(LOOKED)).toEqual({ state: "on time", text: "All that has come is stored." });
  });

  it("says that some events on their way are usual", () => {
    const said = standing(looked({ partitions: [{ ...PARTITION, lag: 1 }], stored_late_by_s: 0.4 }));
    expect(said).toEqual({ state: "on time", text: "1 event waits in Kafka, the oldest for 0 s. That is usual." });
  });

  it("says how late it is with no consumer, and that nothing is lost", () => {
    const said = standing(looked({ partitions: [{ ...PARTITION, consumer: null }], stored_late_by_s: 200 }));
    expect(said.state).toBe("late");
    expect(said.text).toBe(
      "No consumer is running. 1,300 events wait in Kafka, the oldest for 3 min 20 s. Nothing is lost: they are " +
        "stored once one runs.",
    );
  });

  it("tells a consumer that is behind from partitions that nobody has", () => {
    expect(standing(looked({ partitions: [PARTITION], stored_late_by_s: 60 })).text).toMatch(/^The consumer is behind/);
    const two = [PARTITION, { ...PARTITION, partition: 1, consumer: null }];
    expect(standing(looked({ partitions: two })).text).toMatch(/^1 partition has no consumer/);
  });

  it("does not say that it is on time while nobody can know", () => {
    expect(standing(looked({ kafka: AWAY })).state).toBe("not known");
    expect(standing(looked({ database: AWAY })).text).toMatch(/^PostgreSQL cannot be reached/);
  });

  it("does not say that something is away while the first look goes on", () => {
    const first = { is_reached: false, detail: "Kafka has not answered yet.", as_of: null };
    expect(standing(looked({ kafka: first }))).toEqual({
      state: "not known",
      text: "Not reached yet, so nobody can say what is stored and what waits. Kafka has not answered yet.",
    });
  });
});

describe("createHistory", () => {
  it("keeps each look once, and the newest of many", () => {
    const history = createHistory();
    for (let second = 0; second < 400; second++) {
      const at = new Date(second * 1000).toISOString();
      history.add(looked({ at }));
      history.add(looked({ at }));
    }
    expect(history.samples()).toHaveLength(300);
    expect(history.samples()[0]?.at).toBe(100_000);
  });
});

describe("pathOf", () => {
  it("goes from the ground to the greatest, over the whole width", () => {
    expect(
      pathOf([
        { at: 0, value: 0 },
        { at: 2000, value: 50 },
      ]),
    ).toBe("M0 54L300 2");
  });

  it("is broken where a value is unknown, and where nobody looked", () => {
    const points = [0, 2000, 4000, 6000].map((at, index) => ({ at, value: index === 1 ? null : 1 }));
    expect(pathOf(points).match(/M/g)).toHaveLength(2);
    expect(
      pathOf([
        { at: 0, value: 1 },
        { at: 60_000, value: 1 },
      ]).match(/L/g),
    ).toBeNull();
  });

  it("is nothing without points", () => {
    expect(pathOf([])).toBe("");
  });
});

describe("summary", () => {
  it("says the bounds, of the rates that are known", () => {
    const samples = [null, 3, 40].map((stored, index) => ({ at: index * 2000, events_in: null, stored }));
    expect(summary(samples, "stored")).toBe("In the last 4 s: 3 to 40.");
    expect(summary(samples.slice(1, 2), "stored")).toBe("One look so far.");
    expect(summary(samples, "events_in")).toBe("Two looks make a rate: there is none yet.");
  });
});

it.each([
  [0, "0 s"],
  [59.4, "59 s"],
  [200, "3 min 20 s"],
  [3_660, "1 h 1 min"],
  [90_000, "1 d 1 h"],
])("%d seconds are %s", (seconds, words) => {
  expect(span(seconds)).toBe(words);
});

it.each([
  [null, "not known"],
  [0.04, "0"],
  [9.96, "10"],
  [1234.5, "1,235"],
])("a rate of %j is %s", (value, words) => {
  expect(rate(value)).toBe(words);
});
