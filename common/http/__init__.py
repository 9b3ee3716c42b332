"""The ASGI layers every request passes, outermost first: boundary, CORS, guard, body limit; and what errors answer."""
