/** Returns what `work` does, or `otherwise` when it throws. */
export function quietly<T>(work: () => T, otherwise?: () => T): T | undefined {
  try {
    return work();
  } catch {
    return otherwise?.();
  }
}
