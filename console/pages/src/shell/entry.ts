/** The token of an address such as `/#token=…`, which is taken out of it at once: an address is shown, kept and shared. */
export function takeToken(address: Location, history: History): string | null {
  const token = new URLSearchParams(address.hash.replace(/^#/, "")).get("token");
  if (!token) return null;
  history.replaceState(null, "", `${address.pathname}${address.search}#/`);
  return token;
}
