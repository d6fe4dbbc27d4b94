import { type FormEvent, useEffect, useRef, useState } from "react";
import { search } from "../../api/api";
import { go, hrefs } from "../../route";
import { type Filter, filterOf, fromLocal, isFiltered, toLocal } from "./filter";

interface FiltersProps {
  examId: string;
  filter: Filter;
  groups: readonly string[];
}

/** Which sessions count: those that began in a time, of the candidates of a group. */
export function Filters({ examId, filter, groups }: FiltersProps) {
  const [fault, setFault] = useState("");
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => fill(form.current, filter), [filter]); // the address may be another one than was entered here
  const show = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const wanted = wantedOf(new FormData(event.currentTarget));
    const isBackwards = wanted.from && wanted.to && wanted.from >= wanted.to;
    setFault(isBackwards ? "The first time has to be before the second." : "");
    if (!isBackwards) go(hrefs.exam(examId, search({ ...wanted })));
  };
  const choices = new Set([...groups, ...(filter.group ? [filter.group] : [])]);
  return (
    <form ref={form} className="filters no-print" onSubmit={show} aria-label="Which sessions">
      <label>
        Began from
        <input type="datetime-local" name="from" />
      </label>
      <label>
        Began before
        <input type="datetime-local" name="to" />
      </label>
      {choices.size > 0 && (
        <label>
          Group
          <select name="group">
            <option value="">all</option>
            {[...choices].map((group) => (
              <option key={group}>{group}</option>
            ))}
          </select>
        </label>
      )}
      <button type="submit" className="secondary">
        Show
      </button>
      {isFiltered(filter) && <a href={hrefs.exam(examId)}>Show all</a>}
      {fault && <p role="alert">{fault}</p>}
    </form>
  );
}

function fill(form: HTMLFormElement | null, { from, to, group = "" }: Filter): void {
  const values = { from: toLocal(from), to: toLocal(to), group };
  for (const [name, value] of Object.entries(values)) {
    const control = form?.elements.namedItem(name);
    if (control instanceof HTMLInputElement || control instanceof HTMLSelectElement) control.value = value;
  }
}

function wantedOf(form: FormData): Filter {
  const text = (name: string) => String(form.get(name) ?? "");
  const query = { from: fromLocal(text("from")), to: fromLocal(text("to")), group: text("group") };
  return filterOf(new URLSearchParams(search(query)));
}
