import { useCallback, useEffect, useState } from "react";
import type { Failure, Query } from "../../api/api";
import { useApi } from "../../api/api-context";
import { extended, type LiveList, NOTHING } from "./live-list";

export interface Live {
  list: LiveList;
  failure: Failure | undefined;
  isLoading: boolean;
  again: () => void;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Follows the stored events that fit, once a second, while it is not paused and the page is visible. It goes on where
 * it stopped. Another filter begins anew: give the component another key.
 */
export function useLive(filter: Query, isPaused: boolean): Live {
  const api = useApi();
  const [list, setList] = useState(NOTHING);
  const [failure, setFailure] = useState<Failure>();
  const [round, setRound] = useState(0);
  const again = useCallback(() => setRound((before) => before + 1), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the cursor is where it begins; a round asks at once
  useEffect(() => {
    if (isPaused) return;
    let isWanted = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let cursor = list.cursor;
    const look = async () => {
      if (document.visibilityState === "visible") {
        const answer = await api.live({ ...filter, after: cursor });
        if (!isWanted) return;
        setFailure(answer.ok ? undefined : answer);
        if (answer.ok) {
          cursor = answer.value.cursor;
          setList((before) => extended(before, answer.value));
        }
      }
      timer = setTimeout(look, LOOK_EVERY_MS);
    };
    void look();
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [isPaused, round]);

  return { list, failure, isLoading: list.cursor === null && !failure, again };
}
