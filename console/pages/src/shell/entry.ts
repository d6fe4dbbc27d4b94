/**
 * The token of an address such as `/#token=…&to=/sessions/…`, which is taken out of it at once: an address is shown,
 * kept and shared. What is left is the page to go to.
 */
export function takeToken(address: Location, history: History): string | null {
  const given = new URLSearchParams(address.hash.replace(/^#/, ""));
  const token = given.get("token");
  if (!token) return null;
  history.replaceState(null, "", `${address.pathname}${address.search}#${given.get("to") ?? "/"}`);
  return token;
}
