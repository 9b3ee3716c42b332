// @ts-check
/** Many texts to the model, in requests that it takes; one that it refuses is found and does not stop the others. */

/** As many as one request holds. */
const ITEMS = 64;
const CHARACTERS = 200_000;
const TRIES = 5;
const PAUSE_S = 2;

/** @typedef {{positive: number} | {problem: string}} Outcome */
/** @typedef {{status: number, message: string, retryAfterS: number | null}} Refusal */

/**
 * @param {string[]} texts those that are empty are not sent
 * @param {object} how
 * @param {(texts: string[]) => Promise<number[]>} how.ask gives the score of each; throws what `refusalOf` knows
 * @param {(error: any) => Refusal | null} how.refusalOf null for what ends everything
 * @param {(outcomes: Map<number, Outcome>) => void} how.onOutcomes by the text's position, request by request
 * @param {(seconds: number, why: string) => Promise<void>} how.pause
 * @param {(at: number) => boolean} how.isKnown outcomes from before
 */
export async function classify(texts, { ask, refusalOf, onOutcomes, pause, isKnown }) {
  for (const batch of batchesOf(texts, (at) => isKnown(at))) await sendAll(batch);

  /** @param {number[]} batch */
  async function sendAll(batch) {
    for (let tries = 1; ; tries += 1) {
      try {
        const scores = await ask(batch.map((at) => texts[at]));
        return onOutcomes(new Map(batch.map((at, index) => [at, { positive: scores[index] }])));
      } catch (error) {
        const refusal = refusalOf(error);
        if (!refusal) throw error;
        if (passes(refusal.status)) {
          // Asked to wait, it is never a failure to have waited.
          if (refusal.retryAfterS === null && tries >= TRIES) throw error;
          await pause(refusal.retryAfterS ?? PAUSE_S * tries, refusal.message);
        } else if (refusal.status === 413 || refusal.status === 422) {
          if (batch.length === 1) return onOutcomes(new Map([[batch[0], { problem: refusal.message }]]));
          const middle = Math.ceil(batch.length / 2);
          await sendAll(batch.slice(0, middle));
          return sendAll(batch.slice(middle));
        } else throw error;
      }
    }
  }
}

/** Whether it may go well a little later. @param {number} status */
function passes(status) {
  return status === 0 || status === 429 || status === 502 || status === 503 || status === 504;
}

/**
 * Positions of texts, as many together as one request holds. Pure.
 * @param {string[]} texts @param {(at: number) => boolean} isLeftOut
 * @returns {number[][]}
 */
export function batchesOf(texts, isLeftOut = () => false) {
  /** @type {number[][]} */
  const batches = [];
  let room = 0;
  texts.forEach((text, at) => {
    if (!text.trim() || isLeftOut(at)) return;
    const last = batches.at(-1);
    if (last && last.length < ITEMS && text.length <= room) {
      last.push(at);
      room -= text.length;
    } else {
      batches.push([at]);
      room = CHARACTERS - text.length;
    }
  });
  return batches;
}
