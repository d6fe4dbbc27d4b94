import { CheckIcon } from "./icons";

export function BrandMark() {
  return (
    <span className="brand-mark">
      <CheckIcon />
    </span>
  );
}
