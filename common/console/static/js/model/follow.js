// @ts-check
/** A job that is followed on the page: state, progress, a button to cancel it, and what it says at its end. */

import { get, readable, send } from "../api.js";
import { notice, pageLink, progress, stateBadge } from "../blocks.js";
import { fill, h, icon } from "../dom.js";
import { poll } from "../poll.js";
import { toastError } from "../toast.js";

const EVERY_MS = 1000;
const ENDED = new Set(["succeeded", "failed", "cancelled", "dead", "expired"]);

/**
 * @param {HTMLElement} place
 * @param {string} jobId
 * @param {{onRound?: (job: any) => unknown, onEnd: (job: any) => unknown}} options `onRound` is called at each look
 * @returns {() => void} stops looking; the job goes on
 */
export function follow(place, jobId, { onRound = () => {}, onEnd }) {
  const path = `/jobs/${jobId}`;
  const status = h("div", { class: "stack tight", role: "status", "aria-live": "polite" });
  const cancel = h("button", { type: "button", class: "button" }, icon("stop"), "Cancel");
  cancel.addEventListener("click", async () => {
    cancel.disabled = true;
    try {
      await send("DELETE", path);
      watched.now();
    } catch (error) {
      cancel.disabled = false;
      toastError(error);
    }
  });
  const link = pageLink("/console/jobs", `/console/jobs/${jobId}`, `Job ${jobId}`);
  fill(place, h("div", { class: "following" }, h("div", { class: "row spread" }, link, cancel), status));

  const watched = poll(
    async (signal) => {
      const job = await get(path, { signal });
      show(job);
      await onRound(job);
      if (!ENDED.has(job.state)) return true;
      cancel.remove();
      await onEnd(job);
      return false;
    },
    {
      everyMs: EVERY_MS,
      onError(error) {
        const { title, detail } = readable(error);
        fill(status, notice("warn", title, detail));
      },
    },
  );

  /** @param {any} job */
  function show(job) {
    const waits = job.state === "queued" && job.queue_position !== null ? `place ${job.queue_position} in the queue` : "";
    fill(
      status,
      h("div", { class: "row" }, stateBadge(job.state), h("span", { class: "muted" }, job.message ?? waits)),
      !ENDED.has(job.state) && progress(job.state === "queued" ? null : job.progress, "Progress of the job"),
      job.error && notice("bad", job.state === "retrying" ? "It is tried again" : "It did not succeed", job.error),
    );
  }

  return watched.stop;
}

/** The id of a job from what accepted it. @param {Response} response */
export function jobIdOf(response) {
  return response.headers.get("Location")?.split("/").at(-1) ?? "";
}
