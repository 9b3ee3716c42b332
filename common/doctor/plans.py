"""What the plans of Azure Functions allow, as far as it matters to Atoll.

From the table of service limits at https://learn.microsoft.com/azure/azure-functions/functions-scale#service-limits, in
the text of September 2026. There is no limit of the package itself; what is unpacked has to have room.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """A plan.

    Parameters
    ----------
    disk_bytes : room for code and packages on an instance's own disk, or on the plan's share; None for any.
    memory_bytes : the largest instance; None for any.
    longest_run_s : of a function; None for any.
    note : what else to know.
    """

    name: str
    disk_bytes: int | None
    memory_bytes: int | None
    longest_run_s: float | None
    note: str = ""


PLANS: Mapping[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan("flex", 800_000_000, 4_096_000_000, None, "temporary storage of an instance is 0.8 GB"),
        Plan("consumption", 1_500_000_000, 1_500_000_000, 600.0, "on Linux it is retired; choose flex"),
        Plan("premium", 250_000_000_000, 14_000_000_000, None),
        Plan("dedicated", 10_000_000_000, 14_000_000_000, None),
        Plan("container", None, None, None),
    )
}
# WEBSITE_SKU, which App Service sets.
_SKUS = {"flexconsumption": "flex", "dynamic": "consumption", "elasticpremium": "premium"}


# Which the platform sets, and nobody else.
_PLATFORM = frozenset({"WEBSITE_SKU", "WEBSITE_SITE_NAME", "KUBERNETES_SERVICE_HOST", "CONTAINER_APP_NAME"})


def has_instances(environment: Mapping[str, str]) -> bool:
    """Whether this runs where there may be several of it, each with a disk that goes with it."""
    return not _PLATFORM.isdisjoint(environment)


def plan_of(environment: Mapping[str, str]) -> Plan:
    """The plan that this process runs on, where the platform says so; else Flex Consumption."""
    if "KUBERNETES_SERVICE_HOST" in environment or "CONTAINER_APP_NAME" in environment:
        return PLANS["container"]
    sku = environment.get("WEBSITE_SKU", "").lower()
    if sku:
        return PLANS[_SKUS.get(sku, "dedicated")]
    return PLANS["flex"]
