"""`make backends`: PostgreSQL, Azurite and Redis for a try on this machine, until Ctrl-C; what they hold goes then."""

import contextlib
import signal
import sys

from tests.support.backends import AzuriteServer, Missing, PostgresServer
from tests.support.redis_server import RedisServer


def main() -> None:
    with contextlib.ExitStack() as stack:
        try:
            database, queues, counts = PostgresServer(options=()), AzuriteServer(), RedisServer()
        except Missing as exc:
            sys.exit(f"{exc}; `apt install postgresql npm redis-server` brings all three")
        for server in (database, queues, counts):
            stack.callback(server.close)
            server.start()
        sys.stdout.write(
            "All are up. In another terminal:\n\n"
            f"  export DATABASE_URL={database.url}/postgres\n"
            f"  export AzureWebJobsStorage='{queues.connection_string}'\n"
            f"  export REDIS_URL={counts.url}\n"
            "  make run\n\nCtrl-C here stops them and removes what they hold.\n"
        )
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
