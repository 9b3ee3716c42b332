"""Pages of reference, made of the code whenever the docs are built: every route, every setting, every metric.

`docs/site/reference.py` adds them to the site; nothing of them is kept in the checkout, so they cannot fall behind.
The pages by hand (`docs/api.md`, `docs/settings.md`, `docs/metrics.md`) say in sentences what there is.
"""

from deployment.reference.api import api_page
from deployment.reference.metrics import metrics_page
from deployment.reference.settings import settings_page

__all__ = ["api_page", "metrics_page", "settings_page"]
