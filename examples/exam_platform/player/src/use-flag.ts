import { useCallback, useState } from "react";
import { slot } from "./remembered";

/** A preference that is on or off, remembered over visits. */
export function useFlag(name: string, byDefault: boolean): [boolean, (isOn: boolean) => void] {
  const [isOn, setOn] = useState(() => (slot("localStorage", name).read() ?? String(byDefault)) === "true");
  const set = useCallback(
    (next: boolean) => {
      slot("localStorage", name).write(String(next));
      setOn(next);
    },
    [name],
  );
  return [isOn, set];
}
