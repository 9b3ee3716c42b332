"""`python -m common.host`, the same as `atoll serve`."""

import typer

from common.cli import main, serve

if __name__ == "__main__":
    alone = typer.Typer(pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
    alone.command()(serve)
    main("python -m common.host", command=alone)
