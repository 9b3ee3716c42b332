"""What an old submission tells of its run, as `rows` has it. Pure."""

from dataclasses import asdict
from typing import Any

from models.scaleout.old_submission import OldSubmission
from models.scaleout.signature import signature_of


def told_of_submission(body: OldSubmission) -> dict[str, Any]:
    """What is known of the run before it begins."""
    specs, context = body.global_specs, body.context()
    known = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(context).items()}
    told = {
        "context": {name: value for name, value in known.items() if value not in (None, "", [], {})},
        "signature": signature_of(context),
        "solution": specs.solution_name,
        "min_scale_out": specs.min_scale_out,
        "max_scale_out": specs.max_scale_out,
        "target_s": specs.max_runtime,
        "rest_timeout_s": body.spark_template_values.scale_out_tuner.config.rest_timeout,
    }
    return {name: value for name, value in told.items() if value is not None}
