"""Whether the server in this container answers: `healthcheck.py [PORT]`, by default the port of the setting PORT.

By http, or https where `SSL_CERTFILE` is set; the certificate is for others to judge.
"""

import os
import ssl
import sys
import urllib.request


def main() -> int:
    port = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "7071")
    scheme = "https" if os.environ.get("SSL_CERTFILE") else "http"
    context = ssl._create_unverified_context() if scheme == "https" else None  # noqa: S323
    # What the image was told about proxies is not meant for this.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(f"{scheme}://127.0.0.1:{port}/health/live", timeout=5) as got:
            return 0 if got.status == 200 else 1
    except OSError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
