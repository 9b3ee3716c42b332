"""A real Slurm whose parts are stopped, by REST. Nobody else uses it meanwhile."""

from collections.abc import Iterator

import pytest

from common.submission.errors import ClusterDown
from common.submission.states import TaskState
from tests.support import slurm_rest as rest
from tests.support.slurm_lab import SlurmLab, slurm_lab


@pytest.fixture
def alone() -> Iterator[SlurmLab]:
    with slurm_lab() as found, found.exclusive():
        yield found


def test_a_controller_that_stops_is_down_and_what_it_had_goes_on_afterwards(alone: SlurmLab) -> None:
    with rest.runner(alone) as runner:
        runner.info()
        known = rest.submit(runner, rest.task("sleep 2; exit 3"))
        alone.stop_controller()
        task = rest.task("true")
        with pytest.raises(ClusterDown):
            rest.submit(runner, task)
        alone.start_controller()

        assert rest.seen(runner, rest.submit(runner, task)).state is TaskState.SUCCEEDED
        assert rest.seen(runner, known).exit_code == 3
        assert len(alone.jobs_named(task.name)) == 1


def test_a_node_that_fails_ends_the_task_that_may_not_be_put_back(alone: SlurmLab) -> None:
    with rest.runner(alone) as runner:
        known = rest.submit(runner, rest.task("sleep 300"))
        running = rest.seen(runner, known, lambda one: one.state is TaskState.RUNNING)

        alone.fail_node(running.nodes[0])

        assert rest.seen(runner, known).state is TaskState.NODE_FAILED


def test_a_node_that_fails_has_the_task_put_back_where_that_is_asked(alone: SlurmLab) -> None:
    with rest.runner(alone) as runner:
        known = rest.submit(runner, rest.task("sleep 300", requeue=True))
        running = rest.seen(runner, known, lambda one: one.state is TaskState.RUNNING)

        alone.fail_node(running.nodes[0])

        assert rest.seen(runner, known, lambda one: one.state is TaskState.PENDING).restarts <= 1
        runner.cancel(known)
