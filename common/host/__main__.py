"""`python -m common.host`, the same as `atoll serve`."""

from common.cli import main

if __name__ == "__main__":
    main(["serve"], prog_name="python -m common.host")
