"""The job kernel beside its peers: `python -m benchmarks.jobs --help`."""
