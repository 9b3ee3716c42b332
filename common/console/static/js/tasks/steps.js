// @ts-check
/** The way of a task, from its times. Pure. */

const GOOD = "succeeded";

/**
 * @typedef {{title: string, at: string | null, isDone: boolean, isBad: boolean}} Step
 * @param {{state: string, created: string, submitted: string | null, started: string | null, finished: string | null}} task
 * @returns {Step[]}
 */
export function steps(task) {
  const isOver = task.finished !== null;
  // A task that ended before its cluster had it went no further way.
  const way = [
    { title: "Received", at: task.created },
    { title: "Submitted", at: task.submitted },
    { title: "Running", at: task.started },
  ].filter((step) => step.at !== null || !isOver);
  const last = { title: isOver ? capital(task.state) : "Finished", at: task.finished };
  return [...way, last].map((step) => ({ ...step, isDone: step.at !== null, isBad: step === last && isOver && task.state !== GOOD }));
}

/** @param {string} state */
function capital(state) {
  const text = state.replaceAll("-", " ");
  return text[0].toUpperCase() + text.slice(1);
}
