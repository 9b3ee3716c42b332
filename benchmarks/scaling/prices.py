"""What things cost. Assumptions: look them up for your region before you decide by them."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """In US dollars, without tax and discounts."""

    name: str
    usd: float
    unit: str
    source: str


NODE_HOUR = Price(
    "node Standard_DS2_v2, Linux", 0.146, "hour", "assumed; price lists on the web in 2026 had 0.107 to 0.15"
)
CLUSTER_HOUR = Price("AKS control plane, standard tier", 0.10, "hour", "assumed; comes on top of what the tables say")
FLEX_GB_S = Price("Flex Consumption, on demand", 0.000026, "GB-second", "Retail Prices API, 5 October 2026")
FLEX_MILLION = Price("Flex Consumption, executions", 0.40, "million", "Retail Prices API, 5 October 2026")
PRICES = (NODE_HOUR, CLUSTER_HOUR, FLEX_GB_S, FLEX_MILLION)

# Memory of an instance, and the shortest time that is billed once it is active.
FLEX_GB = 2.0
FLEX_LEAST_S = 1.0


def shown(usd: float) -> str:
    """Two figures that count, and cents at least; never by powers of ten, which nobody reads as money."""
    if usd <= 0:
        return "$0"
    return f"${usd:.{max(2, 1 - math.floor(math.log10(usd)))}f}"


def nodes_usd(node_s: float) -> float:
    """Of node-seconds."""
    return node_s / 3600 * NODE_HOUR.usd


def flex_usd(requests: float, active_s: float) -> float:
    """Of so many requests, and instance-seconds in which at least one of them was computed."""
    return active_s * FLEX_GB * FLEX_GB_S.usd + requests / 1e6 * FLEX_MILLION.usd
