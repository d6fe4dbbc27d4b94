import { spoken } from "./words";

interface SelectProps {
  label: string;
  value: string | null;
  options: readonly string[];
  onChange: (value: string) => void;
  /** How an option is said; its code in words by default. */
  say?: (option: string) => string;
}

/** A filter: all, or one of the options. */
export function Select({ label, value, options, onChange, say = spoken }: SelectProps) {
  return (
    <label className="field">
      <span>{label}</span>
      <select value={value ?? ""} onChange={(event) => onChange(event.target.value)}>
        <option value="">all</option>
        {options.map((option) => (
          <option key={option} value={option}>
            {say(option)}
          </option>
        ))}
      </select>
    </label>
  );
}
