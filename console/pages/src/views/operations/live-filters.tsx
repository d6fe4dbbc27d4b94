import { useState } from "react";
import { Select } from "./select";
import { reporter } from "./words";

export interface LiveFilter {
  event_type: string;
  source: string;
  exam: string;
}

export const NO_FILTER: LiveFilter = { event_type: "", source: "", exam: "" };
export const EVENT_TYPES = [
  "SESSION_CREATED",
  "SESSION_SUBMITTED",
  "SESSION_EXPIRED",
  "REVIEW_OPENED",
  "QUESTION_VIEWED",
  "NAVIGATE_NEXT",
  "NAVIGATE_PREV",
  "NAVIGATE_JUMP",
  "ANSWER_SELECTED",
  "ANSWER_CHANGED",
  "MARK_FOR_REVIEW_TOGGLED",
  "PAUSE_BLUR",
];
const SOURCES = ["web", "mobile", "api"];
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

interface LiveFiltersProps {
  filter: LiveFilter;
  onChange: (filter: LiveFilter) => void;
}

/** An exam counts once its id is whole. */
export function LiveFilters({ filter, onChange }: LiveFiltersProps) {
  const [exam, setExam] = useState(filter.exam);
  const isWhole = exam === "" || UUID.test(exam);
  const type = (text: string) => {
    const trimmed = text.trim();
    setExam(trimmed);
    if (trimmed === "" || UUID.test(trimmed)) onChange({ ...filter, exam: trimmed.toLowerCase() });
  };
  return (
    <fieldset className="filters">
      <legend className="visually-hidden">Which events</legend>
      <Select
        label="Event type"
        value={filter.event_type}
        options={EVENT_TYPES}
        say={(option) => option}
        onChange={(event_type) => onChange({ ...filter, event_type })}
      />
      <Select
        label="From"
        value={filter.source}
        options={SOURCES}
        say={reporter}
        onChange={(source) => onChange({ ...filter, source })}
      />
      <label className="field field-wide">
        <span>Exam</span>
        <input
          type="text"
          value={exam}
          placeholder="the exam's id"
          spellCheck={false}
          aria-invalid={!isWhole}
          aria-describedby={isWhole ? undefined : "exam-fault"}
          onChange={(event) => type(event.target.value)}
        />
        {!isWhole && (
          <span id="exam-fault" className="fine-print">
            Not an exam's id yet: it has 36 characters.
          </span>
        )}
      </label>
    </fieldset>
  );
}
