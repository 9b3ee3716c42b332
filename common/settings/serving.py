"""Settings of predictions that are answered at once."""

from pydantic import Field

from common.settings.base import Area


class ServingSettings(Area):
    """How much work a process takes on at once, and what it remembers."""

    threads: int = Field(
        0,
        ge=0,
        le=256,
        validation_alias="PREDICT_THREADS",
        description="Threads for predictions; 0 takes the CPUs that the container may use, shared among `WORKERS`.",
    )
    queue_length: int = Field(
        64,
        ge=0,
        validation_alias="PREDICT_QUEUE",
        description="Predictions that may wait for a thread; one more is answered 503 with `Retry-After`.",
    )
    async_after_s: float = Field(
        200.0,
        ge=0,
        validation_alias="ASYNC_AFTER_S",
        description="A prediction that is estimated to take longer, in seconds, is queued and answered 202, because "
        "Azure gives up on a connection after 230 s; 0 never does.",
    )
    result_cache_bytes: int = Field(
        64_000_000,
        ge=0,
        validation_alias="RESULT_CACHE_BYTES",
        description="Memory for results kept in a process, in bytes; 0 keeps none.",
    )
    max_items: int = Field(
        10_000,
        ge=1,
        validation_alias="MAX_ITEMS",
        description="Items (texts, houses) that one request may hold; more are answered 413.",
    )
    max_text_chars: int = Field(
        200_000,
        ge=1,
        validation_alias="MAX_TEXT_CHARS",
        description="Characters that one text may have; a longer one is answered 413.",
    )
