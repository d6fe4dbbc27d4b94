/** What follows from how whole a log is; the reasons are those of docs/indicators.md. */

const WHOLE =
  "So the figures below are of the whole attempt. What no log can show is an event that a page never sent at its very end: " +
  "it leaves no gap.";
const NOT_WHOLE =
  "What is not stored may have been any event. So figures of the whole attempt are not known, and say why; " +
  "what is stored is below, in the order in which it happened.";

const FOLLOWS: Record<string, string> = {
  no_end: "The attempt has no end in its log: it may go on. So figures that want an end are not known yet, and say so.",
  unnumbered:
    "The page gives its events no numbers, so nobody can see whether one is missing. Figures of the whole attempt are not " +
    "known, and say why.",
};

export function followsFrom(reason: string | null, isOwn: boolean): string {
  if (reason === null) return WHOLE;
  const whose = isOwn ? "you" : "the candidate";
  return `${FOLLOWS[reason] ?? NOT_WHOLE} It says nothing about ${whose}: logs lack events for technical reasons, too.`;
}
