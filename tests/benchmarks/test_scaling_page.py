"""docs/scaling.md has what the simulation prints, and the manifests have what it says was adopted."""

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from benchmarks.scaling.__main__ import TABLES
from benchmarks.scaling.api_questions import AFTER, CANDIDATES, PEAKS_PER_S, POD_CORES
from benchmarks.scaling.job_questions import ADOPTED, LIMITS, RATES, per_job
from benchmarks.scaling.job_questions import CANDIDATES as SCALERS
from benchmarks.scaling.prices import shown
from common.settings import CHECKOUT

PAGE = (CHECKOUT / "docs" / "scaling.md").read_text()
KUBERNETES = CHECKOUT / "deployment" / "kubernetes"
# The others take seconds each; of these the page is compared row for row.
QUICK = ("tests", "replicas", "few", "trainings", "prices")


@pytest.mark.parametrize("name", QUICK)
def test_the_page_has_the_table_that_is_printed(name: str) -> None:
    assert TABLES[name]().markdown() in PAGE


def test_the_page_has_a_row_for_each_setting_that_is_compared() -> None:
    bursts = [f"| {peak:.0f} | {name} |" for peak in PEAKS_PER_S for name, _ in CANDIDATES]
    jobs = [f"| {rate:,.0f} | {name} |" for rate in RATES for name, _ in SCALERS]
    limits = [f"{hours} hours | 1-{most} workers, 1-{nodes} nodes" for hours in (24, 8) for most, nodes in LIMITS]
    assert [row for row in (*bursts, *jobs, *limits) if row not in PAGE] == []


def found(path: Path, kind: str, name: str) -> dict[str, Any]:
    """The spec of a resource of the manifests."""
    (spec,) = [
        item["spec"]
        for item in yaml.safe_load_all(path.read_text())
        if item and (item["kind"], item["metadata"]["name"]) == (kind, name)
    ]
    return dict(spec)


def test_the_api_is_scaled_as_adopted() -> None:
    spec = found(KUBERNETES / "scalers" / "keda" / "atoll.yaml", "ScaledObject", "atoll")
    (trigger,) = spec["triggers"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (AFTER.replicas.least, AFTER.replicas.most)
    assert trigger["type"] == "cpu"
    assert float(trigger["metadata"]["value"]) / 100 == AFTER.replicas.target
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == AFTER.replicas.stabilise_s
    deployment = found(KUBERNETES / "services" / "atoll.yaml", "Deployment", "atoll")
    (container,) = deployment["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == f"{1000 * POD_CORES:.0f}m"


def test_short_predictions_are_worked_off_as_adopted() -> None:
    spec = found(KUBERNETES / "workers" / "azure-queue" / "atoll.yaml", "ScaledObject", "atoll-prediction-cpu")
    (trigger,) = spec["triggers"]
    replicas = ADOPTED[1].replicas
    assert spec["minReplicaCount"] == replicas.least
    # The page's table of limits begins with what is shipped.
    assert spec["maxReplicaCount"] == LIMITS[0][0]
    assert trigger["metadata"]["queueLength"] == f"{replicas.target:g}"
    assert trigger["metadata"]["queueLengthStrategy"] == "all"


def test_trainings_have_a_pod_each_and_are_polled_for_as_adopted() -> None:
    specs = [
        item["spec"]
        for item in yaml.safe_load_all((KUBERNETES / "services" / "atoll.yaml").read_text())
        if item["kind"] == "ScaledJob" and "training" in item["metadata"]["name"]
    ]
    assert specs
    for spec in specs:
        assert spec["pollingInterval"] == per_job(15.0).polling_s
        assert spec["scalingStrategy"]["strategy"] == "accurate"
        for trigger in spec["triggers"]:
            assert (trigger["metadata"]["queueLength"], trigger["metadata"]["queueLengthStrategy"]) == (
                "1",
                "visibleonly",
            )


@pytest.mark.parametrize(
    ("usd", "told"), [(0, "$0"), (34.309, "$34.31"), (0.512, "$0.51"), (0.0204, "$0.020"), (0.0000406, "$0.000041")]
)
def test_a_price_shows_two_figures_that_count(usd: float, told: str) -> None:
    assert shown(usd) == told
