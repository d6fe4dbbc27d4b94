import type { Operations } from "../../api/types";

/** What was seen at one moment: events per second, null where it is not known. */
export interface Sample {
  at: number; // milliseconds since 1970
  events_in: number | null;
  stored: number | null;
}

export interface History {
  /** Takes a look in, unless it is not newer than the last one. */
  add: (looked: Operations) => void;
  /** The oldest first; another array after each addition. */
  samples: () => readonly Sample[];
}

const MOST_SAMPLES = 300; // ten minutes of looks

/** The rates since the page was opened, of which the newest are kept. */
export function createHistory(): History {
  let samples: readonly Sample[] = [];
  return {
    add: ({ at, events_in_per_s: events_in, events_stored_per_s: stored }) => {
      const sample = { at: Date.parse(at), events_in, stored };
      if (sample.at > (samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY)) {
        samples = [...samples, sample].slice(-MOST_SAMPLES);
      }
    },
    samples: () => samples,
  };
}
