import { Switch } from "./switch";

interface KeyboardHelpProps {
  isOn: boolean;
  onChange: (isOn: boolean) => void;
}

export function KeyboardHelp({ isOn, onChange }: KeyboardHelpProps) {
  return (
    <details className="keyboard">
      <summary>Keyboard</summary>
      <dl>
        <dt>
          <kbd>n</kbd>
        </dt>
        <dd>next question</dd>
        <dt>
          <kbd>p</kbd>
        </dt>
        <dd>previous question</dd>
        <dt>
          <kbd>m</kbd>
        </dt>
        <dd>mark for review</dd>
      </dl>
      <Switch label="Single-key shortcuts" isOn={isOn} onChange={onChange} />
    </details>
  );
}
