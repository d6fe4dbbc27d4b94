/** As the server reads it. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){4}[0-9a-f]{8}$/i.test(text);

/** Returns a UUIDv7 (RFC 9562): sorted as texts, ids are in the order of their making. Works over plain http, too. */
export function newId(now: number): string {
  const digits = [...now.toString(16).padStart(12, "0"), ...crypto.getRandomValues(new Uint8Array(18))];
  return "xxxxxxxx-xxxx-7xxx-8xxx-xxxxxxxxxxxx".replace(/x/g, () => digits.shift()?.toString(16).slice(-1) as string);
}
