import type { ReactNode } from "react";
import { hrefs } from "../../route";

/** The way back: the list of exams, and an exam where the page is below one. */
export function Trail({ children }: { children?: ReactNode }) {
  return (
    <nav className="trail no-print" aria-label="Above this page">
      <ol>
        <li>
          <a href={hrefs.start}>Exams</a>
        </li>
        {children && <li>{children}</li>}
      </ol>
    </nav>
  );
}
