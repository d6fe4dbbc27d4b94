import type { Freshness as Fresh } from "../../api/types";
import { moment, sessionsText } from "../../words";

/** How old the figures are; it raises its voice only where sessions are not in them. */
export function Freshness({ freshness }: { freshness: Fresh }) {
  const { as_of, due } = freshness;
  if (as_of === null) return <p className="fresh fresh-due">The figures are being worked out for the first time</p>;
  return (
    <p className={due > 0 ? "fresh fresh-due" : "fresh"}>
      As of <time dateTime={as_of}>{moment(as_of)}</time>
      {due > 0 && `; ${sessionsText(due)} ${due === 1 ? "has" : "have"} newer events that are not worked out yet`}
    </p>
  );
}
