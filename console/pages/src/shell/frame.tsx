import type { ReactNode } from "react";
import { useApi } from "../api/api-context";
import type { Me } from "../api/types";
import { hrefs, type Route, useRoute } from "../route";

interface Place {
  text: string;
  href: string;
  views: Route["view"][];
}

const EXAMS: Place = { text: "Exams", href: hrefs.start, views: ["start", "exam", "sessions", "attempt"] };
const OWN: Place = { ...EXAMS, text: "Your sessions" };
const OPERATIONS: Place = { text: "Operations", href: hrefs.operations(), views: ["operations"] };
const ACCESSES: Place = { text: "Who looked", href: hrefs.accesses, views: ["accesses"] };
const PLACES: Record<Me["role"], Place[]> = {
  candidate: [OWN],
  examiner: [EXAMS],
  operator: [OPERATIONS],
  auditor: [EXAMS, OPERATIONS, ACCESSES],
};

/** The bar with the places that a role has, and the page below it. */
export function Frame({ me, children }: { me: Me; children: ReactNode }) {
  const { view } = useRoute();
  const api = useApi();
  const leave = async () => {
    await api.leave();
    window.location.reload();
  };
  return (
    <>
      <button type="button" className="skip" onClick={() => document.getElementById("page")?.focus()}>
        To the page
      </button>
      <header className="bar">
        <span className="bar-brand">attemptlog</span>
        <nav aria-label="Console">
          <ul>
            {PLACES[me.role].map((place) => (
              <li key={place.href}>
                <a href={place.href} aria-current={place.views.includes(view) ? "page" : undefined}>
                  {place.text}
                </a>
              </li>
            ))}
            {me.platform_url && (
              <li>
                <a href={me.platform_url} className="bar-platform">
                  <span className="bar-which">Exam&nbsp;</span>platform
                </a>
              </li>
            )}
          </ul>
        </nav>
        <span className="bar-role">{me.role}</span>
        <button type="button" className="link" onClick={leave}>
          Leave
        </button>
      </header>
      <main id="page" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}
