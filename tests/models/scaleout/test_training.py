"""Training of the graph model through the job kernel, on made runs. Skipped where PyTorch is not installed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: make torch")

import torch

from common.jobs.context import JobContext
from common.jobs.records import Job
from common.jobs.states import State
from models.scaleout import space, training
from models.scaleout.artefact import CARD, FILES, GRAPH, read
from models.scaleout.graph.encodings import Coder, properties, vector
from models.scaleout.graph.fitting import Fit, Plan, fit_coder
from models.scaleout.graph.history import History
from models.scaleout.graph.model import GraphModel
from models.scaleout.graph.propagate import propagate
from models.scaleout.graph.samples import held_out, input_of, varied
from models.scaleout.graph.search import Trials, kept_apart
from models.scaleout.records import Application
from tests.models.scaleout.graph.synthetic import begun, made_run, made_runs
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_invalid
from tests.support.trainings import TrainingClient

PLUGIN = """
    from fastapi import APIRouter
    from common.plugins import Plugin
    from models.scaleout import space, training

    router = APIRouter(prefix="/runtimes")
    plugin = Plugin(
        train=lambda context, request: training.train(context, request),
        train_request=training.ScaleoutTraining,
        check_train=lambda request: training.check_train(request),
        space=space,
    )
"""
RUNS = made_runs(("kmeans", "gbt"), jobs=4)


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "EPOCHS", 10)
        patch.setattr(space, "FINAL_MEMBERS", 2)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def store() -> list[Application]:
    """What the plugin's store holds; tests put runs in, and take them out again."""
    return list(RUNS)


@pytest.fixture(scope="module")
def client(quick: None, store: list[Application], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingClient]:
    folder = tmp_path_factory.mktemp("scaleout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "recorded", lambda: training.learnable(store))
        made = TrainingClient(
            make_app(folder / "state", path=(write_plugin(folder, "runtimes", PLUGIN),), serve=("runtimes",))
        )
        yield made
        made.jobs.stop(0)


@pytest.fixture(scope="module")
def job(client: TrainingClient) -> Job:
    ended = client.train("/runtimes/train", trials=3, seed=1)
    assert ended.state is State.SUCCEEDED, ended.error
    return ended


def published(client: TrainingClient, folder: Path, version: int) -> GraphModel:
    registry = client.runtime.registry
    for name in FILES:
        (folder / name).write_bytes(registry.blobs.read(registry.get("runtimes", version).artefact(name).ref))
    return read({name: folder / name for name in FILES})


def test_a_training_publishes_a_model_that_has_learned(client: TrainingClient, job: Job, tmp_path: Path) -> None:
    model = published(client, tmp_path, 1)
    run = made_run("kmeans", 300.0, 2, seed=9, jobs=4)
    found = model.coming(History(RUNS), begun(run, 2), [1, 2, 4])
    few, same, many = (one.median_s for one in found.remaining)
    assert few > same > many
    end, begin = run.jobs[-1].end_s, run.jobs[1].end_s
    assert end is not None
    assert begin is not None
    assert abs(np.log(same / (end - begin))) < 0.35


def test_what_is_published_says_how_good_it_is_and_what_it_was_trained_on(
    client: TrainingClient, job: Job, tmp_path: Path
) -> None:
    card = published(client, tmp_path, 1).card
    version = client.runtime.registry.get("runtimes", 1)
    assert card["algorithms"] == ["gbt", "kmeans"]
    assert card["runs"] == len(RUNS)
    assert card["data_sha256"] == version.data_hash
    assert version.metrics == card["figures"]
    assert 0 < card["figures"]["job_error_before_each"] < 0.4


def test_a_training_tells_how_far_it_is_and_gives_trials_up(client: TrainingClient, job: Job) -> None:
    found = client.jobs.store.result(job)
    assert found is not None
    trials = json.loads(found.body)["trials"]
    assert trials["complete"] + trials["pruned"] == 3
    assert job.metrics["trials"] == 3
    assert any("are kept to judge by" in line.text for line in client.jobs.store.logs(job.id))


def test_a_training_tells_after_each_trial_how_far_it_is(
    client: TrainingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[float | None, str | None]] = []
    progress = JobContext.progress

    def listen(self: JobContext, fraction: float | None = None, message: str | None = None, **metrics: object) -> None:
        told.append((fraction, message))
        progress(self, fraction, message, **metrics)

    monkeypatch.setattr(JobContext, "progress", listen)
    assert client.train("/runtimes/train", trials=2, seed=2).state is State.SUCCEEDED
    assert [one for one in told if one[1] and "trials" in one[1]] == [
        (0.0, "0 of 2 trials"),
        (0.5, "1 of 2 trials"),
        (1.0, "2 of 2 trials"),
    ]
    assert told[-1][1] == "fitting the best one to all runs"


@pytest.mark.parametrize("during", ["error", "develop"])
def test_a_training_that_is_cancelled_stops_within_a_fit_and_publishes_nothing(
    client: TrainingClient, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    before = client.runtime.registry.resolve("runtimes").number
    job = client.job(client.post("/runtimes/train", json={"trials": 1, "seed": 3}))
    step, steps = Fit._step, 0
    work = getattr(Trials, during)

    def cancelled(self: Trials, *arguments: object) -> object:
        client.jobs.service.cancel(job.id)
        monkeypatch.setattr(Fit, "_step", counted)
        return work(self, *arguments)

    def counted(self: Fit, *arguments: Any) -> float:
        nonlocal steps
        steps += 1
        return step(self, *arguments)

    monkeypatch.setattr(Trials, during, cancelled)
    assert client.run(job).state is State.CANCELLED
    assert steps == 0
    assert client.runtime.registry.resolve("runtimes").number == before


def test_the_same_seed_gives_the_same_bytes(client: TrainingClient, job: Job) -> None:
    again = client.train("/runtimes/train", trials=3, seed=1)
    assert again.state is State.SUCCEEDED, again.error
    registry = client.runtime.registry
    first, last = registry.get("runtimes", 1), registry.resolve("runtimes")
    assert last.number > first.number
    for name in (GRAPH, CARD):
        assert first.artefact(name).ref.sha256 == last.artefact(name).ref.sha256


def test_an_unknown_algorithm_is_refused_at_once_and_told_which_are_known(client: TrainingClient) -> None:
    answer = client.post("/runtimes/train", json={"algorithm": "sort"})
    assert_invalid(answer, "body.algorithm", told="known are gbt, kmeans")


def test_an_algorithm_is_found_however_it_is_spelt(client: TrainingClient) -> None:
    ended = client.train("/runtimes/train", trials=1, algorithm="K-Means", system="spark", name="nightly")
    assert ended.state is State.SUCCEEDED, ended.error
    registry = client.runtime.registry
    assert registry.resolve("runtimes").description == "nightly"


def test_runs_of_another_system_are_not_learned_from(client: TrainingClient) -> None:
    answer = client.post("/runtimes/train", json={"system": "flink"})
    assert answer.status_code == 422
    assert "0 runs" in answer.json()["detail"]


def test_too_few_runs_are_refused_at_once(client: TrainingClient, store: list[Application]) -> None:
    kept = store[:]
    store[:] = [*kept[:2], replace(kept[2], jobs=[])]
    try:
        answer = client.post("/runtimes/train", json={})
    finally:
        store[:] = kept
    assert answer.status_code == 422
    assert "2 runs with stages are recorded" in answer.json()["detail"]


def test_numpy_answers_as_pytorch_does() -> None:
    history = History(RUNS)
    coder = Coder(fit_coder({"kmeans", "gbt", 8}, 0))
    samples = varied(coder, history, 0)
    fit = Fit(samples, Plan(epochs=1, members=2))
    fit.run(1)
    inputs = samples.inputs
    weights = fit.arrays()
    tensors = replace(
        inputs,
        **{name: torch.tensor(getattr(inputs, name)) for name in ("static", "scale", "anchor", "parents", "mask")},
    )
    by_torch = propagate({name: torch.tensor(array) for name, array in weights.items()}, tensors, torch)
    by_numpy = propagate(weights, inputs)
    np.testing.assert_allclose(by_numpy.log_s, by_torch.log_s.numpy(), atol=1e-5)
    np.testing.assert_allclose(by_numpy.metrics, by_torch.metrics.numpy(), atol=1e-5)
    assert (np.diff(by_numpy.log_s, axis=-1) >= 0).all()


def test_fitting_lowers_the_loss() -> None:
    coder = Coder(fit_coder({"kmeans", "gbt", 8}, 0))
    fit = Fit(varied(coder, History(RUNS), 0), Plan(epochs=8))
    first = fit.run(1)
    assert fit.run(8) < 0.8 * first


def test_the_code_of_a_property_tells_it_from_others() -> None:
    found = {value for run in RUNS for value in properties(run.context, [])}
    coder = Coder(fit_coder(found, 0))
    values = sorted(found, key=str)
    codes = np.array([coder.code(value) for value in values])
    apart = np.linalg.norm(codes[:, None] - codes[None], axis=-1) + np.eye(len(codes))
    assert apart.min() > 1e-3
    assert vector(values[0]).shape == (40,)


def test_runs_that_judge_are_of_inputs_that_no_fit_sees() -> None:
    for tests in kept_apart(RUNS, 0):
        inside = {input_of(run.context) for run, kept in zip(RUNS, tests, strict=True) if not kept}
        outside = {input_of(run.context) for run, kept in zip(RUNS, tests, strict=True) if kept}
        assert outside
        assert not inside & outside
        assert {run.context.algorithm for run, kept in zip(RUNS, tests, strict=True) if kept} == {"kmeans", "gbt"}


@pytest.mark.parametrize("runs", [RUNS[:4], [RUNS[0]] * 4, [made_run(name) for name in "abcd"]])
def test_even_the_fewest_runs_make_a_search(runs: list[Application]) -> None:
    named = [replace(run, execution_id=str(number)) for number, run in enumerate(runs)]
    assert np.isfinite(Trials(named, 0).error(space.DEFAULTS))


def test_a_sample_knows_nothing_of_the_run_it_asks_for() -> None:
    coder = Coder(fit_coder({"kmeans", 8}, 0))
    known, test = History(RUNS), made_run("kmeans", 800.0, 2, seed=3, jobs=4)
    slower = replace(
        test,
        jobs=[
            replace(
                job,
                stages={
                    key: replace(stage, end_s=(stage.end_s or 0) + 5 * (job.job_id == 3))
                    for key, stage in job.stages.items()
                },
            )
            for job in test.jobs
        ],
    )
    one, other = (held_out(coder, known, History([run]), next_only=True) for run in (test, slower))
    np.testing.assert_array_equal(one.nodes.static, other.nodes.static)
    assert not np.array_equal(one.log_s, other.log_s)
