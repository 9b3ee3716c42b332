// @ts-check
/** Times of what runs. Pure, but for the clock. */

/**
 * Seconds from one moment to another, or until now; null where it has not begun.
 * @param {string | null} from @param {string | null} to
 */
export function secondsBetween(from, to) {
  if (!from) return null;
  return Math.max(0, ((to ? new Date(to).getTime() : Date.now()) - new Date(from).getTime()) / 1000);
}
