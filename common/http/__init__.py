"""The ASGI layers every request passes, outermost first: boundary, CORS, body limit; and the answers to errors."""
