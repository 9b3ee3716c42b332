"""Versions of a real registry that are opened, switched and asked."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest

from common.database import Database
from common.errors import Invalid, ModelUnavailable, NotFound, Unavailable
from common.registry.service import Registry
from common.registry.versions import Version
from common.serving.items import Asked
from common.serving.model_pool import ModelPool
from common.serving.tensors import Array
from common.settings import ModelSettings, Settings, StorageSettings
from common.storage import Blobs, open_share
from models.hosted import model as running
from models.hosted.check.examine import examine
from models.hosted.formats.card import CARD, Card
from models.hosted.model import HostedModel
from models.hosted.serving import HostedModels
from tests.support.onnx_models import add, heavy

MB = 1_000_000
ROW = np.zeros((1, 4), np.float32)


class Site:
    """A registry, and the hosted models of a process over it."""

    def __init__(self, folder: Path, pool_bytes: int = 100 * MB, pinned: Sequence[str] = ()) -> None:
        self.folder = folder
        storage = StorageSettings(state_dir=folder)
        self.settings = Settings(storage=storage, models=ModelSettings(pool_bytes=pool_bytes, pinned=tuple(pinned)))
        database = Database(f"sqlite:///{folder / 'atoll.db'}")
        database.migrate()
        self.registry = Registry(database, Blobs(open_share(storage), storage.cache_dir))
        self.models = HostedModels(lambda: self.registry, self.settings)

    def publish(self, tag: str, number: float, alias: str | None = None) -> Version:
        """A version that adds `number`."""
        return self.publish_file(tag, add(self.folder / "made.onnx", number), alias)

    def publish_file(self, tag: str, path: Path, alias: str | None = None, memory_bytes: int | None = None) -> Version:
        # In this process, which a file of our own cannot harm.
        told = examine("onnx", {"path": str(path), "folder": str(self.folder)})
        card = self.folder / CARD
        # What a process with other threads grows by is no measure.
        told["card"]["memory_bytes"] = memory_bytes or 10 * path.stat().st_size
        card.write_bytes(orjson.dumps(told["card"]))
        artefacts = {"model.onnx": path, CARD: card}
        return self.registry.publish(f"hosted.{tag}", artefacts, author="tests", code_version="1", alias=alias)

    def blob(self, version: Version) -> Path:
        """The model on the share."""
        return self.settings.storage.share_dir / version.artefact("model.onnx").ref.share_path

    def copy(self, version: Version) -> Path:
        """The model on this machine's disk."""
        digest = version.artefact("model.onnx").sha256
        return self.settings.storage.cache_dir / "blobs" / digest[:2] / digest


async def ask(model: HostedModel, row: Array = ROW) -> list[float]:
    outputs: Mapping[str, Array] = await model.infer({"X": row}, Asked())
    return [float(value) for value in outputs["Y"].ravel()]


async def answer(site: Site, tag: str = "a", version: str | None = None) -> float:
    """What the model that serves adds; the route's way: known, else found."""
    name = f"hosted.{tag}"
    model = site.models.known(name) if version is None else None
    model = model or await site.models.find(name, version)
    return (await ask(model))[0]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_names_and_versions_are_those_of_the_registry(tmp_path: Path) -> None:
    async def told() -> None:
        assert await site.models.names() == ["hosted.a", "hosted.b"]
        assert await site.models.versions("hosted.a") == ["1", "2"]
        for name in ("hosted.c", "sentiment"):
            with pytest.raises(NotFound):
                await site.models.versions(name)
            with pytest.raises(NotFound):
                await site.models.find(name)

    site = Site(tmp_path)
    site.publish("a", 1, "default")
    site.publish("a", 2)
    site.publish("b", 1)
    asyncio.run(told())


def test_a_version_is_asked_for_by_number_by_alias_or_by_nothing(tmp_path: Path) -> None:
    async def asked() -> list[float]:
        return [await answer(site, version=version) for version in (None, "default", "candidate", "1", "2")]

    site = Site(tmp_path)
    site.publish("a", 1, "default")
    site.publish("a", 2, "candidate")
    assert asyncio.run(asked()) == [1, 1, 2, 1, 2]


def test_a_model_that_is_open_is_known_without_a_look_anywhere(tmp_path: Path) -> None:
    async def known() -> None:
        assert site.models.known("hosted.a") is None
        found = await site.models.find("hosted.a")
        assert site.models.known("hosted.a") is found
        assert (found.name, found.version, found.platform) == ("hosted.a", "1", "onnx_onnxv1")

    site = Site(tmp_path)
    site.publish("a", 1, "default")
    asyncio.run(known())


def test_after_a_switch_the_next_request_is_answered_by_the_new_version_and_those_under_way_by_the_old(
    tmp_path: Path,
) -> None:
    async def switched() -> None:
        old = await site.models.find("hosted.a")
        site.registry.set_alias("hosted.a", "default", 2)
        assert await answer(site) == 2
        assert await ask(old) == [1, 1, 1, 1]
        site.registry.set_alias("hosted.a", "default", 1)
        assert await answer(site) == 1

    site = Site(tmp_path)
    site.publish("a", 1, "default")
    site.publish("a", 2)
    asyncio.run(switched())


def test_while_versions_are_switched_every_answer_is_that_of_the_version_it_names(tmp_path: Path) -> None:
    async def caller(answers: list[tuple[str, float]]) -> None:
        while not done.is_set():
            model = site.models.known("hosted.a") or await site.models.find("hosted.a")
            answers.append((model.version, (await ask(model))[0]))
            await asyncio.sleep(0)

    async def switched() -> list[tuple[str, float]]:
        answers: list[tuple[str, float]] = []
        callers = [asyncio.create_task(caller(answers)) for _ in range(8)]
        for number in (2, 3, 1, 2, 3):
            await asyncio.sleep(0.1)
            await asyncio.to_thread(site.registry.set_alias, "hosted.a", "default", number)
        await asyncio.sleep(0.2)
        done.set()
        await asyncio.gather(*callers)
        return answers

    site = Site(tmp_path)
    for number in (1, 2, 3):
        site.publish("a", number, "default" if number == 1 else None)
    done = asyncio.Event()
    answers = asyncio.run(switched())
    assert {version for version, _ in answers} == {"1", "2", "3"}
    assert [pair for pair in answers if float(pair[0]) != pair[1]] == []


def test_a_version_that_cannot_be_opened_leaves_the_one_before_it_serving_and_its_reason(tmp_path: Path) -> None:
    async def switched() -> None:
        assert await answer(site) == 1
        damage(site.blob(broken))
        site.registry.set_alias("hosted.a", "default", 2)
        assert await answer(site) == 1
        assert "damaged" in site.models.reasons()["hosted.a:2"]
        # Who asks for it by its number is told.
        with pytest.raises(ModelUnavailable, match=r"hosted\.a:2 cannot be served"):
            await site.models.find("hosted.a", "2")
        site.registry.set_alias("hosted.a", "default", 3)
        assert await answer(site) == 3

    site = Site(tmp_path)
    site.publish("a", 1, "default")
    broken = site.publish("a", 2)
    site.publish("a", 3)
    asyncio.run(switched())


def test_a_version_without_a_card_was_no_upload(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.registry.publish("hosted.a", {"line.json": b"{}"}, author="tests", code_version="1", alias="default")
    with pytest.raises(ModelUnavailable, match="not uploaded as a hosted model"):
        asyncio.run(site.models.find("hosted.a"))


def test_a_damaged_copy_is_fetched_anew_and_a_whole_one_does_without_the_share(tmp_path: Path) -> None:
    async def asked() -> None:
        assert await answer(site) == 1
        key = (await site.models.find("hosted.a")).key
        damage(site.copy(version))
        site.models.pool.forget(key)
        assert await answer(site) == 1
        damage(site.blob(version))
        site.models.pool.forget(key)
        assert await answer(site) == 1

    site = Site(tmp_path)
    version = site.publish("a", 1, "default")
    asyncio.run(asked())


def test_copies_of_versions_keep_to_their_share_of_the_disk(tmp_path: Path) -> None:
    site = Site(tmp_path)
    refs = [site.registry.blobs.put(bytes([number]) * 1000) for number in range(5)]
    paths = [site.registry.blobs.copy(ref, 2500) for ref in refs]
    assert [path.exists() for path in paths] == [False, False, False, True, True]
    assert site.registry.blobs.copy(refs[0], 2500).read_bytes() == bytes([0]) * 1000


def test_more_models_than_fit_are_all_answered(tmp_path: Path) -> None:
    async def asked() -> None:
        for _ in range(2):
            for number in range(8):
                assert await answer(site, f"m{number}") == 1
        assert site.models.pool.taken_bytes <= 10 * MB
        assert len(site.models.pool.keys) == 5

    site = Site(tmp_path, pool_bytes=10 * MB)
    for number in range(8):
        site.publish_file(f"m{number}", heavy(tmp_path / "h.onnx", MB + 16 * number), "default", 2 * MB)
    asyncio.run(asked())


def test_a_pinned_model_stays_whatever_else_is_asked_for(tmp_path: Path) -> None:
    async def asked() -> None:
        await answer(site, "m0")
        for number in range(1, 8):
            await answer(site, f"m{number}")
        assert site.models.known("hosted.m0") is not None
        assert site.models.known("hosted.m1") is None

    site = Site(tmp_path, pool_bytes=10 * MB, pinned=["hosted.m0"])
    for number in range(8):
        site.publish_file(f"m{number}", heavy(tmp_path / "h.onnx", MB + 16 * number), "default", 2 * MB)
    asyncio.run(asked())


def test_a_model_larger_than_the_budget_is_unavailable_with_the_setting(tmp_path: Path) -> None:
    site = Site(tmp_path, pool_bytes=1 * MB)
    site.publish_file("large", heavy(tmp_path / "h.onnx", 2 * MB), "default")
    with pytest.raises(ModelUnavailable, match="MODEL_POOL_BYTES"):
        asyncio.run(site.models.find("hosted.large"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, r"'X' missing; send 'X' FP32 \[n, 4\]"),
        ({"x": ROW}, "'X' missing; no input is named 'x'"),
        ({"X": ROW, "Y": ROW}, "no input is named 'Y'"),
        ({"X": ROW[:, :3]}, r"the shape \[1, 3\]; send 'X' FP32 \[n, 4\]"),
        ({"X": ROW[0]}, r"the shape \[4\]"),
        ({"X": ROW[:0]}, "at least one row"),
        ({"X": ROW.astype(np.float64)}, r"is FP64; send 'X' FP32"),
        ({"X": np.full((1, 4), b"1", object)}, "is BYTES; send"),
        ({"X": np.array([[0, 1, np.nan, 2]], np.float32)}, r"no number at \[0, 2\]"),
    ],
)
def test_inputs_that_are_not_the_models_are_refused_with_what_to_send(
    tmp_path: Path, given: Mapping[str, Array], told: str
) -> None:
    async def refused() -> None:
        model = await site.models.find("hosted.a")
        with pytest.raises(Invalid, match=told):
            await model.infer(given, Asked())

    site = Site(tmp_path)
    site.publish("a", 1, "default")
    asyncio.run(refused())


def test_narrower_numbers_are_widened(tmp_path: Path) -> None:
    async def asked() -> list[float]:
        return await ask(await site.models.find("hosted.a"), np.array([[1, 2, 3, 4]], np.int8))

    site = Site(tmp_path)
    site.publish("a", 1, "default")
    assert asyncio.run(asked()) == [2, 3, 4, 5]


class FakeRunner:
    """Adds 1; notes how many rows came at once, and fails where a row holds 13."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.rows.append(len(feeds["X"]))
        if (feeds["X"] == 13).any():
            raise ValueError("13 is no number that I like")
        return {"Y": feeds["X"] + 1}


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[HostedModel, FakeRunner]]:
    """Makes a model whose runs are taken to be long, so that requests are gathered."""

    def make(**changes: object) -> tuple[HostedModel, FakeRunner]:
        from concurrent.futures import ThreadPoolExecutor
        from dataclasses import replace

        site = Site(tmp_path)
        version = site.publish("a", 1)
        card = Card.read(site.registry.blobs.copy(version.artefact(CARD).ref))
        monkeypatch.setattr(running, "_DIRECT_S", 0.0)
        runner = FakeRunner()
        return HostedModel(version, replace(card, **changes), runner, ThreadPoolExecutor(2), "key"), runner  # type: ignore[arg-type]

    return make


def test_rows_of_several_requests_are_run_together_and_each_gets_its_own(
    slow: Callable[..., tuple[HostedModel, FakeRunner]],
) -> None:
    async def asked() -> list[Mapping[str, Array]]:
        inputs = [np.full((1 + number % 3, 4), number + 20, np.float32) for number in range(30)]
        return await asyncio.gather(*(model.infer({"X": array}, Asked()) for array in inputs))

    model, runner = slow()
    for number, outputs in enumerate(asyncio.run(asked())):
        assert outputs["Y"].shape == (1 + number % 3, 4)
        assert (outputs["Y"] == number + 21).all()
    assert len(runner.rows) < 30


def test_one_bad_row_fails_alone(slow: Callable[..., tuple[HostedModel, FakeRunner]]) -> None:
    async def asked() -> list[object]:
        inputs = [np.full((1, 4), number, np.float32) for number in range(20)]
        return await asyncio.gather(*(model.infer({"X": array}, Asked()) for array in inputs), return_exceptions=True)

    model, _ = slow()
    outcomes = asyncio.run(asked())
    failed = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Exception)]
    assert failed == [13]
    assert isinstance(outcomes[13], Invalid)
    assert "13 is no number that I like" in outcomes[13].detail


def test_rows_that_depend_on_each_other_are_run_alone(slow: Callable[..., tuple[HostedModel, FakeRunner]]) -> None:
    async def asked() -> None:
        await asyncio.gather(*(model.infer({"X": ROW}, Asked()) for _ in range(20)))

    model, runner = slow(batches=False)
    asyncio.run(asked())
    assert runner.rows == [1] * 20


def test_a_request_whose_time_is_over_is_told_so(slow: Callable[..., tuple[HostedModel, FakeRunner]]) -> None:
    async def asked() -> None:
        with pytest.raises(Unavailable, match="X-Timeout-Ms"):
            await model.infer({"X": ROW}, Asked(deadline_s=0.0))
        assert not model.is_busy

    model, _ = slow()
    asyncio.run(asked())


def test_a_model_that_is_put_out_ends_at_once(tmp_path: Path) -> None:
    async def asked() -> None:
        await answer(site)
        pool: ModelPool[HostedModel] = site.models.pool
        assert pool.taken_bytes > 0
        pool.forget(pool.keys[0])
        # The thread that loaded it may not have come to its end.
        for _ in range(200):
            if pool.taken_bytes == 0:
                return
            await asyncio.sleep(0.01)
        pytest.fail(f"{pool.taken_bytes} bytes are still counted")

    site = Site(tmp_path)
    site.publish("a", 1, "default")
    asyncio.run(asked())
