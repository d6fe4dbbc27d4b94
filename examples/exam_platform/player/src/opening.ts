/**
 * Names this opening of a page. The name stays with the entry of the browser's history: over a reload and by the back
 * button it is the same. Undefined where the browser makes none up, which is on a page without https.
 */
export function openingOfPage(): string | undefined {
  const state: unknown = window.history.state;
  if (state instanceof Object && "opening" in state) return String(state.opening);
  if (!window.isSecureContext) return undefined;
  const opening = crypto.randomUUID();
  window.history.replaceState({ opening }, "");
  return opening;
}
