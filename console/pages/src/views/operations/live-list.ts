/** The events that are listed, and how many are not. Pure. */

import type { LiveEvent, LivePage } from "../../api/types";

export interface LiveList {
  events: readonly LiveEvent[]; // the newest first
  cursor: string | null;
  skipped: number;
  isMoreSkipped: boolean;
  lateByS: number | null;
}

export const MOST_LISTED = 200;
export const NOTHING: LiveList = { events: [], cursor: null, skipped: 0, isMoreSkipped: false, lateByS: null };

/** Adds a page. What no longer fits drops out at the end; it was listed, so it is not skipped. */
export function extended(list: LiveList, page: LivePage): LiveList {
  return {
    events: [...page.events.toReversed(), ...list.events].slice(0, MOST_LISTED),
    cursor: page.cursor,
    skipped: list.skipped + page.skipped,
    isMoreSkipped: list.isMoreSkipped || page.is_more_skipped,
    lateByS: page.late_by_s,
  };
}
