"""`make backends`: PostgreSQL and Azurite for a try on this machine, until Ctrl-C; what they hold is removed then."""

import contextlib
import signal
import sys

from tests.support.backends import AzuriteServer, Missing, PostgresServer


def main() -> None:
    with contextlib.ExitStack() as stack:
        try:
            database, queues = PostgresServer(options=()), AzuriteServer()
        except Missing as exc:
            sys.exit(f"{exc}; `apt install postgresql npm` brings both")
        for server in (database, queues):
            stack.callback(server.close)
            server.start()
        sys.stdout.write(
            "Both are up. In another terminal:\n\n"
            f"  export DATABASE_URL={database.url}/postgres\n"
            f"  export AzureWebJobsStorage='{queues.connection_string}'\n"
            "  make run\n\nCtrl-C here stops them and removes what they hold.\n"
        )
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
