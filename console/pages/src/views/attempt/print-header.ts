import { useEffect } from "react";
import type { Attempt } from "../../api/types";
import type { Clock } from "./clock";
import { headline } from "./verdict-words";

/** Every printed page says which session it is of, when it was read and what the audit says; for as long as it is shown. */
export function usePrintHeader(attempt: Attempt, clock: Clock): void {
  useEffect(() => {
    const sheet = new CSSStyleSheet(); // made by a script, as the Content-Security-Policy allows no style element
    sheet.replaceSync(pageRule(attempt, clock));
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    return () => {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
    };
  }, [attempt, clock]);
}

export function pageRule(attempt: Attempt, clock: Clock): string {
  const head = `Session ${attempt.session_id}, read ${clock.moment(attempt.read_at)} (${clock.zone})`;
  return `@page {
  @top-left { content: ${cssText(head)}; }
  @bottom-left { content: ${cssText(headline(attempt.verdict, attempt.summary.log_reason))}; }
  @bottom-right { content: "Page " counter(page) " of " counter(pages); }
}`;
}

/** Return the text as a string of CSS, in which nothing of it can be anything else. */
function cssText(text: string): string {
  return `"${text.replace(/[^\w .,:;()/+-]/gu, (each) => `\\${each.codePointAt(0)?.toString(16)} `)}"`;
}
