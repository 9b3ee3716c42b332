"""What every process that runs jobs needs, imported once before they are forked. It starts no thread."""

try:
    import common.app
    import common.jobs.system
    import common.jobs.training
    import common.registry.service  # noqa: F401  # imported for those who come after
except OSError as exc:
    # The worker has ended meanwhile, and its folder of metrics is gone. Nobody is left to be told more.
    raise ImportError(str(exc)) from None
