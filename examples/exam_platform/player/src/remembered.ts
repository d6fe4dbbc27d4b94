/** One remembered text. Where the browser denies storage, nothing is remembered and nothing fails. */
export interface Slot {
  read(): string | null;
  write(text: string | null): void;
}

/** `localStorage` outlives the visit and is shared by tabs; `sessionStorage` is the tab's own and outlives a reload. */
export function slot(area: "localStorage" | "sessionStorage", name: string): Slot {
  const key = `exam-player:${name}`;
  return {
    read() {
      try {
        return window[area].getItem(key);
      } catch {
        return null;
      }
    },
    write(text) {
      try {
        if (text === null) window[area].removeItem(key);
        else window[area].setItem(key, text);
      } catch {
        // denied or full: the page goes on without a memory
      }
    },
  };
}
