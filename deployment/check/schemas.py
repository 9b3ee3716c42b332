"""Takes kinds for which the lab has no schema out of a built manifest, and says which.

`python -m deployment.check.schemas FILE` changes the file. They are kinds of add-ons whose definitions are not at
hand; a kind that is not listed here goes on to fail there.
"""

import sys
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # has no types of its own

# By their group: the CSI driver for Key Vault; Istio.
WITHOUT_SCHEMA = ("secrets-store.csi.x-k8s.io", "networking.istio.io", "security.istio.io")


def split(text: str) -> tuple[list[str], list[str]]:
    """Documents to validate, and the names of those that cannot be: `Kind/name`."""
    kept, left_out = [], []
    for document in yaml.safe_load_all(text):
        if document is None:
            continue
        if document["apiVersion"].split("/")[0] in WITHOUT_SCHEMA:
            left_out.append(f"{document['kind']}/{document['metadata']['name']}")
        else:
            kept.append(yaml.safe_dump(document, sort_keys=False))
    return kept, left_out


def main() -> None:
    file = Path(sys.argv[1])
    kept, left_out = split(file.read_text())
    file.write_text("---\n".join(kept))
    for name in left_out:
        sys.stdout.write(f"{file.stem}: {name}: not validated, there is no schema for it\n")


if __name__ == "__main__":
    main()
