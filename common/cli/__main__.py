"""`python -m common.cli`, the same as `atoll`."""

from common.cli import main

if __name__ == "__main__":
    main(prog_name="python -m common.cli")
