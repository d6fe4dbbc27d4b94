import { useCallback, useEffect, useState } from "react";
import type { ApiResult, Failure } from "./api";

/** What a page has of an answer: nothing yet, one, or one that the latest failure makes older than it should be. */
export interface Answer<T> {
  value: T | undefined;
  failure: Failure | undefined;
  isLoading: boolean;
  /** When `value` came, in milliseconds of Date.now(). */
  since: number | undefined;
  again: () => void;
}

/**
 * Asks when `key` changes, also in a tab that is opened in the background, and every `everyMs` while the page is visible.
 * What was answered before stays until the next answer to the same key; the answer to an older key is dropped.
 */
export function useAnswer<T>(key: string, ask: () => Promise<ApiResult<T>>, everyMs?: number): Answer<T> {
  const [state, setState] = useState<{ key: string; value?: T; failure?: Failure; since?: number }>({ key });
  const [round, setRound] = useState(0);
  const again = useCallback(() => setRound((before) => before + 1), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for what is asked; a round asks it again
  useEffect(() => {
    let isWanted = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (isFirst: boolean) => {
      if (isFirst || document.visibilityState === "visible") {
        const answer = await ask();
        if (!isWanted) return;
        setState((before) => {
          if (answer.ok) return { key, value: answer.value, since: Date.now() };
          return before.key === key ? { ...before, failure: answer } : { key, failure: answer };
        });
      }
      if (everyMs) timer = setTimeout(look, everyMs, false);
    };
    void look(true);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [key, round, everyMs]);

  const current = state.key === key ? state : { key };
  return {
    value: current.value,
    failure: current.failure,
    since: current.since,
    isLoading: current.value === undefined && current.failure === undefined,
    again,
  };
}
