"""`/datasets`: the data sets on this machine and on the share, and which models answer from them."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from common.runtime import Runtime
from common.storage.datasets import DatasetFile, describe, folders_on

router = APIRouter(tags=["Atoll"])


class DatasetInfo(BaseModel):
    """A data set: a folder of files."""

    name: str
    origin: str = Field(description="Where it comes from: `DATASET_PATH`, the checkout, the share, or generated.")
    files: list[DatasetFile]
    size_bytes: int
    rows: int = Field(description="Data rows of its largest file.")
    years: list[int] = Field(description="Years that have a column of their own, in any file.")
    used_by: list[str] = Field(description="Models that answer from it.")


@router.get("/datasets", summary="Data sets: files, sizes, rows, years")
async def datasets(request: Request) -> list[DatasetInfo]:
    runtime: Runtime = request.app.state.runtime
    # Reads files that have changed since the last call.
    return await run_in_threadpool(_list, runtime)


def _list(runtime: Runtime) -> list[DatasetInfo]:
    found = {folder: (folder.name, "share", set[str]()) for folder in folders_on(runtime.settings.storage.share_dir)}
    for record in runtime.records:
        for dataset in record.datasets():
            used_by = found.get(dataset.folder, ("", "", set[str]()))[2] | {record.name}
            found[dataset.folder] = (dataset.name, dataset.origin, used_by)
    answer = []
    for folder, (name, origin, used_by) in found.items():
        files = describe(folder)
        answer.append(
            DatasetInfo(
                name=name,
                origin=origin,
                files=files,
                size_bytes=sum(file.size_bytes for file in files),
                rows=max((file.rows for file in files), default=0),
                years=sorted({year for file in files for year in file.years}),
                used_by=sorted(used_by),
            )
        )
    return sorted(answer, key=lambda item: item.name)
