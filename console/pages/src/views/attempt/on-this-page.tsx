const SECTIONS = [
  ["figures", "Figures"],
  ["questions", "Questions"],
  ["absences", "Absences"],
  ["timeline", "What happened"],
  ["legend", "How to read this"],
] as const;

/** To the sections of a long page. By buttons: an address with another hash would be another page. */
export function OnThisPage({ without }: { without: readonly string[] }) {
  return (
    <nav className="on-this-page no-print" aria-label="On this page">
      <ul>
        {SECTIONS.filter(([id]) => !without.includes(id)).map(([id, name]) => (
          <li key={id}>
            <button type="button" className="link" onClick={() => goTo(id)}>
              {name}
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function goTo(id: string): void {
  const heading = document.getElementById(id);
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  heading.scrollIntoView({ block: "start" });
}
