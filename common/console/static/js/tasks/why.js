// @ts-check
/** Why a task, or an element of it, ended as it did. Pure. */

/**
 * Clusters tell it by one word, as `NonZeroExitCode`; others by a sentence.
 * @param {{reason: string | null, exit_code: number | null}} told
 */
export function why({ reason, exit_code: code }) {
  if (!reason) return code ? `Exit code ${code}` : "";
  if (reason === "NonZeroExitCode" && code) return `Exit code ${code}`;
  if (!/^([A-Z][a-z]+){2,}$/.test(reason)) return reason;
  return reason.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
