"""The process that checks a model: `python -m models.hosted.check.child REQUEST`. Started by `supervise`.

What it has found goes to `result.json` beside the request: a card and artefacts, or `refused` and the reason. It says
nothing where its limits ended it.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

from common.errors import Invalid

_TOLD_CHARS = 300


def main() -> None:
    request: dict[str, Any] = orjson.loads(Path(sys.argv[1]).read_bytes())
    from models.hosted.check import confine

    confine.early(request)
    # Before the limit of memory, which is on top of them.
    from models.hosted.check.examine import examine, import_libraries
    from models.hosted.formats.sniff import kind_of

    kind = "a model"
    try:
        kind = kind_of(Path(request["path"]), request["filename"])
        import_libraries(kind)
        confine.memory(request["memory_bytes"])
        told: dict[str, Any] = examine(kind, request)
    except Invalid as exc:
        told = {"refused": exc.detail}
    except MemoryError:
        most = f"{request['memory_bytes'] / 1e6:.0f} MB of memory"
        told = {"refused": f"the model takes more than {most} to load and run (MODEL_CHECK_MEMORY_BYTES)"}
    except Exception as exc:  # noqa: BLE001 - what a file can bring about in a library knows no end
        told = {"refused": f"the file cannot be read as {kind}: {type(exc).__name__}: {str(exc)[:_TOLD_CHARS]}"}
    result = Path(request["folder"]) / "result.json"
    scratch = result.with_suffix(".part")
    scratch.write_bytes(orjson.dumps(told))
    scratch.replace(result)


if __name__ == "__main__":
    main()
