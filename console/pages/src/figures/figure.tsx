import type { ReactNode } from "react";
import { reasonText } from "../words";

interface FigureProps<T> {
  value: T | null;
  reason?: string | null;
  children: (value: T) => ReactNode;
}

/** A figure, or why it is not known: never a number that nobody can know. */
export function Figure<T>({ value, reason = null, children }: FigureProps<T>) {
  return value === null ? <span className="unknown">unknown: {reasonText(reason)}</span> : children(value);
}
