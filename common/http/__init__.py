"""The ASGI layers every request passes, outermost first: boundary, CORS; and the answers to errors."""
