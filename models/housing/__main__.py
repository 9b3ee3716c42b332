"""`python -m models.housing FILE`: the training without a server; writes the models in the box."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from models.housing import space
from models.housing.artefact import BOX
from models.housing.districts import read
from models.housing.fitting import TEST_SHARE, split
from models.housing.training import cross_validated, develop


def build(
    file: Annotated[Path, typer.Argument(help="california_housing.csv.gz")],
    folder: Annotated[Path, typer.Option(help="Where the three files go.")] = BOX,
    trials: Annotated[int, typer.Option(help="Points of the grid to try.", min=1)] = len(space.grid()),
    seed: int = 0,
) -> None:
    """Search the grid, fit both models, measure them, and write them to a folder."""
    content = file.read_bytes()
    whole = read(content)
    error = cross_validated(split(whole, TEST_SHARE, seed)[0], seed)
    tried = []
    for point in space.grid()[:trials]:
        tried.append((error(point), point))
        typer.echo(f"{tried[-1][0]:.5f}  {point}")
    made = develop(whole, min(tried, key=lambda item: item[0])[1], seed, hashlib.sha256(content).hexdigest())
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in made.files().items():
        (folder / name).write_bytes(data)
        typer.echo(f"{name}: {len(data):,} bytes")
    for name, figure in made.card["figures"].items():
        typer.echo(f"{name}: {figure:.4g}")


if __name__ == "__main__":
    typer.run(build)
