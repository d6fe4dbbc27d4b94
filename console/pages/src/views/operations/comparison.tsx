import type { DeadLetter } from "../../api/types";

/** Field by field: what came, and what the contract asks for. The fields come as the contract has them, then the rest. */
export function Comparison({ letter }: { letter: DeadLetter }) {
  const { shape, expected, faults } = letter;
  const names = [...new Set([...Object.keys(expected), ...Object.keys(shape ?? {})])];
  return (
    <section className="card panel" aria-labelledby="comparison">
      <h2 id="comparison">What came, and what the contract asks for</h2>
      <p className="quiet">{summary(letter)}</p>
      {shape && (
        <ul className="comparison">
          {names.map((name) => (
            <Field
              key={name}
              name={name}
              came={shape[name]}
              expected={expected[name]}
              isFaulty={faults.includes(name)}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

interface FieldProps {
  name: string;
  came: string | undefined;
  expected: string | undefined;
  isFaulty: boolean;
}

function Field({ name, came, expected, isFaulty }: FieldProps) {
  return (
    <li className={isFaulty ? "field-differs" : undefined}>
      <p className="field-name">
        <code>{name}</code> {isFaulty && <strong>differs</strong>}
      </p>
      <p>
        <span className="side">came </span>
        {came ?? "nothing"}
      </p>
      <p>
        <span className="side">contract </span>
        {expected ?? "no such field"}
      </p>
    </li>
  );
}

function summary({ shape, faults, reason }: DeadLetter): string {
  if (!shape) return "What came cannot be read as a JSON object, so there are no fields to compare.";
  if (faults.length) return faults.length === 1 ? "1 field differs." : `${faults.length} fields differ.`;
  return reason === "undecodable"
    ? "Every field has the type that the contract asks for; what the check said is above."
    : "Every field has the type that the contract asks for: the record is well formed, and refused for what it names.";
}
