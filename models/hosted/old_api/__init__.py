"""The interface that clients of the server before this one know: `/api/v1/models…`, `/api/test…` and `/help`.

Every answer has `http_status` with `code`, `name` and `description`, and the code is that of the answer.
"""

from models.hosted.old_api.envelope import error_shape
from models.hosted.old_api.routes import help_router, router

__all__ = ["error_shape", "help_router", "router"]
