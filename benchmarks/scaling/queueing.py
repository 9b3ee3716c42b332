"""Formulas of queueing theory, which the simulations are compared with, and from which first guesses come."""

import math


def erlang_c(servers: int, load: float) -> float:
    """Probability that a request has to wait in M/M/c.

    Parameters
    ----------
    servers : c.
    load : arrival rate times mean service time, in Erlang; less than `servers`.

    Source: Erlang 1917; e.g. Kleinrock, Queueing Systems, volume 1, equation 3.40.
    """
    if not 0 <= load < servers:
        raise ValueError(f"{load:g} Erlang cannot be served by {servers} servers: the queue grows without end")
    # Of Erlang B, by its recursion, which no factorial overflows.
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - (load / servers) * (1 - blocked))


def mean_wait_s(servers: int, rate_per_s: float, service_s: float) -> float:
    """Mean time in the queue of M/M/c, in seconds, without the service."""
    load = rate_per_s * service_s
    return erlang_c(servers, load) * service_s / (servers - load)


def servers_for(rate_per_s: float, service_s: float, utilisation: float) -> int:
    """The least servers that are busy for at most this share of the time."""
    return max(1, math.ceil(rate_per_s * service_s / utilisation - 1e-9))
