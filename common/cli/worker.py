"""`atoll worker`: a process that runs queued jobs and serves nothing."""

import signal
import threading
from types import FrameType
from typing import Annotated

import typer

# Another process may have taken the message for which this one was started.
_ONCE_IDLE_S = 10.0


def worker(
    queue: Annotated[
        list[str] | None, typer.Option(help="Queue to take jobs from; may be given again [all it can run].")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Handle one message, then exit (KEDA ScaledJob).")] = False,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Jobs at once [JOB_CONCURRENCY, 2].")] = None,
) -> None:
    """Run queued jobs, and serve nothing. Until SIGTERM: what runs then is finished, or put back after JOB_DRAIN_S.

    \b
    Examples:
      atoll worker
      atoll worker --queue prediction-cpu --concurrency 4
      JOB_WORKERS=train atoll worker --once
    """
    from common.app import create_app
    from common.jobs.queues.names import known_queues, submission_queues
    from common.settings import get_settings
    from common.telemetry.logs import configure_logs, get_logger

    settings = get_settings()
    configure_logs(settings.telemetry)
    known = known_queues(settings)
    for name in queue or ():
        # It would wait for ever, for what nobody sends.
        if name not in known:
            raise typer.BadParameter(
                f"no jobs are sent to {name!r}; queues are {', '.join(known)}", param_hint="--queue"
            )
    app = create_app(settings)
    system = app.state.runtime.jobs
    system.isolate()
    if system.handler is system.runner:
        app.state.runtime.start()
    if once:
        # Whatever waits.
        queue = queue or system.queue_names()
    workers = [system.worker(queue, 1 if once else concurrency)]
    if queue is None and submission_queues(settings):
        workers.append(system.submission_worker())

    def stop(_: int, __: FrameType | None) -> None:
        for working in workers:
            working.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    get_logger("atoll.worker").info("worker", queues=queue or system.queue_names())
    limit, idle_s = (1, _ONCE_IDLE_S) if once else (None, None)
    # Not on this thread: its signal handler would wait for a lock that the interrupted code may hold.
    threads = [
        threading.Thread(target=working.run, args=(limit, idle_s), name="worker", daemon=True) for working in workers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.5)
    # What the last job's caller asked to be told is on its way; with --once nobody may be there for a while to send it.
    system.callbacks.stop()
