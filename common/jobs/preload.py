"""What every process that runs jobs needs, imported once before they are forked. It starts no thread."""

import common.app
import common.jobs.system
import common.jobs.training
import common.registry.service  # noqa: F401  # imported for those who come after
