"""How much one caller may ask: requests a second, failed authentications, jobs at once.

`Limits` is the ASGI layer inside authentication; `FailedAttempts` is what authentication asks before it looks at a
credential that it does not know. `build` makes both from the settings.
"""

from common.security.limits.build import address_of, buckets_of, failures_of, jobs_per_owner
from common.security.limits.failures import FailedAttempts
from common.security.limits.middleware import Limits

__all__ = ["FailedAttempts", "Limits", "address_of", "buckets_of", "failures_of", "jobs_per_owner"]
