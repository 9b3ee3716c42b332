"""How Atoll scales, on paper and in simulation: `python -m benchmarks.scaling`.

A discrete-event model of autoscaled pods and nodes with the service times that docs/performance.md gives.
docs/scaling.md says what is assumed and what came of it. Everything is drawn from seeds: the same call gives the same
figures.
"""
