/** What each figure is, and what it does not say, in a sentence or two; docs/indicators.md has the definitions. */

export interface Meaning {
  is: string;
  isNot: string;
}

const TIME = {
  is: "From the first view of a question to the end of the session, where both are known.",
  isNot: "It includes what the page cannot see: reading on paper, a break, a lost connection.",
};
const CHANGES = {
  is: "Sessions in which the last answer to the question is not the first one, by the key of the platform.",
  isNot: "People change answers when they read again; it does not say why somebody did.",
};
const RAPID = {
  is: "Times below a tenth of the question's mean time, at most 10 s; from 30 times on.",
  isNot: "Time is not thought: whoever knows the answer is quick, too.",
};
const EFFORT = {
  is: "The share of a session's questions that took at least their threshold (response-time effort).",
  isNot: "A value below 0.9 means some quick answers. It is no measure of a person.",
};

export const MEANINGS = {
  sessions: { is: "Every session of the exam, or of the selection, from the earliest on.", isNot: "" },
  completion: {
    is: "How a session ended: submitted by the candidate, expired because its time was up, or open because neither has come.",
    isNot: "Unknown: numbers are missing, and the end may be among them.",
  },
  coverage: {
    is: "A log is complete when no number is missing in it, none of its events is a dead letter, nothing was dropped, and it has an end.",
    isNot: "An incomplete log is a fault of a network or a machine. It says nothing about a candidate.",
  },
  time: TIME,
  viewed: { is: "Sessions in which the question was shown.", isNot: "Shown is not read." },
  times: {
    is: "How long the question was shown, all visits added; of complete logs.",
    isNot: "It includes time away from the page, and time is not thought.",
  },
  rapid: RAPID,
  effort_known: EFFORT,
  effort_below_090: EFFORT,
  marked: {
    is: "Facility: the share who had it right. Discrimination: 100 × the correlation of its mark with the marks of all other questions; efficiency: 100 × the part of their possible covariance.",
    isNot:
      "A low discrimination may be an easy question or a wrong key. With fewer than 30 marked sessions all three are noise.",
  },
  changed: CHANGES,
  WR: CHANGES,
  RW: CHANGES,
  WW: CHANGES,
  RR: CHANGES,
  moved: {
    is: "How often a visit to one question followed a visit to another; of complete logs.",
    isNot: "Going back is what a careful reader does; no path is a wrong one.",
  },
} satisfies Record<string, Meaning>;
export type MeaningOf = keyof typeof MEANINGS;
