import type { ReactNode } from "react";
import type { AttemptSummary, Completion } from "../../api/types";
import { Figure } from "../../figures/figure";
import { count, duration } from "../../words";
import { plural } from "./event-words";

const COMPLETION: Record<Completion, string> = {
  submitted: "handed in",
  expired: "time was up",
  open: "no end so far",
  unknown: "not known",
};

export function AttemptFigures({ summary: s }: { summary: AttemptSummary }) {
  return (
    <section className="card panel" aria-labelledby="figures">
      <h2 id="figures">In figures</h2>
      <dl className="figures attempt-figures">
        <Item name="Completion">{COMPLETION[s.completion]}</Item>
        <Item name="From the first question to the end">
          <Figure value={s.time_ms} reason={s.time_reason}>
            {duration}
          </Figure>
        </Item>
        <Item name="Until the first answer, mark or move">
          <Figure value={s.first_action_ms} reason={s.first_action_reason}>
            {duration}
          </Figure>
        </Item>
        <Item name="Questions answered">
          <Figure value={s.answered} reason={s.answers_reason}>
            {count}
          </Figure>
        </Item>
        <Item name="Answers changed">
          <Figure value={s.changes} reason={s.answers_reason}>
            {count}
          </Figure>
        </Item>
        {s.marks_reason !== "not_shown" && (
          <Item name="Marks">
            <Figure value={s.marks} reason={s.marks_reason}>
              {count}
            </Figure>
          </Item>
        )}
        <Item name="Visits of questions" note={s.revisits && `${count(s.revisits)} of them again`}>
          <Figure value={s.visits} reason={s.visits_reason}>
            {count}
          </Figure>
        </Item>
        <Item name="Absences of the focus" note={lengths(s)}>
          <Figure value={s.absences} reason={s.absences_reason}>
            {count}
          </Figure>
        </Item>
      </dl>
    </section>
  );
}

function lengths(summary: AttemptSummary): string {
  const { absences_known_ms: known, absences_of_unknown_length: unknown } = summary;
  const parts = [
    known !== null && known > 0 && `${duration(known)} measured`,
    unknown && `${plural(unknown, "length")} not known`,
  ];
  return parts.filter(Boolean).join(", ");
}

function Item({ name, note, children }: { name: string; note?: ReactNode; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {children}
        {note ? <span className="figure-note">{note}</span> : null}
      </dd>
    </div>
  );
}
