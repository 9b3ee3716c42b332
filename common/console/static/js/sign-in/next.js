// @ts-check
/** Where to go once one is signed in. Pure. */

/**
 * A page of the console, and of this server; whatever else was asked for, the overview.
 * @param {string | null} asked
 * @param {string} origin
 */
export function nextPage(asked, origin) {
  let address;
  try {
    address = new URL(asked ?? "", origin);
  } catch {
    return "/console";
  }
  const isOwn = address.origin === origin && /^\/console(\/|$)/.test(address.pathname);
  if (!isOwn || address.pathname.startsWith("/console/sign-in")) return "/console";
  return address.pathname + address.search + address.hash;
}
