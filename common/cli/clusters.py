"""`atoll clusters`: where programs can run, and whether what `clusters.toml` says is right."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.groups import group
from common.cli.quiet import quiet
from common.cli.remote import FAILED, AsJson, Coloured, Url, connected, print_json, print_table, prints_json

if TYPE_CHECKING:
    from common.submission.config import ClusterConfig
    from common.submission.records import ClusterInfo

app = group("See the clusters that programs can be submitted to.")

_COLOURS = {"up": "green", "degraded": "yellow", "down": "red", "not usable": "red"}


@app.command("list")
def list_clusters(context: typer.Context, as_json: AsJson = False, url: Url = None) -> None:
    """List the clusters of a server, and how each is.

    \b
    Example:
      atoll clusters list --json | jq '.[] | select(.state != "up")'
    """
    with connected(context, url) as client:
        found = client.clusters()
    if prints_json(context, as_json):
        print_json(found)
        return
    print_table(
        ["NAME", "KIND", "STATE", "PARTITIONS", "PENDING", "RUNNING", "LOAD", "TOLD"],
        [
            [
                item["name"],
                item["kind"],
                _state(item["state"]),
                ", ".join(part["name"] for part in item.get("partitions") or ()),
                item.get("pending"),
                item.get("running"),
                None if item.get("load") is None else f"{item['load']:.0%}",
                item.get("detail"),
            ]
            for item in found
        ],
    )


@app.command()
def check(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Only these; by default all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try each cluster that is configured here: the file, the secrets, the connection. No server is needed.

    Run it where Atoll runs, with its settings. Exit code 1 if a cluster cannot be used.

    \b
    Example:
      atoll clusters check local atena02
    """
    from concurrent.futures import ThreadPoolExecutor

    from common.settings import get_settings
    from common.submission.catalogue import Catalogue
    from common.telemetry.logs import configure_logs

    configure_logs(quiet())
    catalogue = Catalogue.of(get_settings())
    unknown = sorted(set(names or ()) - set(catalogue.names))
    if unknown:
        raise typer.BadParameter(
            f"there is no cluster {unknown[0]!r}; those configured are: {', '.join(catalogue.names)}", param_hint="NAME"
        )
    wanted = [name for name in catalogue.names if not names or name in names]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: _try(catalogue, name), wanted))
    catalogue.close()
    if prints_json(context, as_json):
        print_json(found)
    else:
        print_table(
            ["NAME", "KIND", "STATE", "PARTITIONS", "TOLD"],
            [
                [item["name"], item["kind"], _state(item["state"]), ", ".join(item["partitions"]), item["told"]]
                for item in found
            ],
        )
    if any(item["state"] != "up" for item in found):
        raise typer.Exit(FAILED)


def _try(catalogue: Any, name: str) -> dict[str, Any]:
    """What is to know of one cluster, and what to do if it cannot be used."""
    from common.submission.clusters import missing_secrets
    from common.submission.kinds import ExtraMissing

    config: ClusterConfig = catalogue.config(name)
    told = {"name": name, "kind": config.kind, "partitions": [], "version": ""}
    if missing := missing_secrets(config):
        return told | {"state": "not usable", "told": "; ".join(missing)}
    try:
        info: ClusterInfo = catalogue.get(name).info()
    except ExtraMissing as exc:
        return told | {"state": "not usable", "told": exc.detail}
    except Exception as exc:  # noqa: BLE001  # one that is broken does not keep the others from being tried
        return told | {"state": "not usable", "told": getattr(exc, "detail", None) or f"{type(exc).__name__}: {exc}"}
    there = [part.name for part in info.partitions]
    absent = [part for part in config.partitions if there and part not in there]
    if absent:
        said = f"the cluster has no partition {', '.join(absent)}; it has {', '.join(there)}: mend `partitions`"
        return told | {"state": "not usable", "told": said, "partitions": there}
    return told | {"state": info.state, "told": info.detail, "partitions": there, "version": info.version}


def _state(state: str) -> Coloured:
    return Coloured(state, _COLOURS.get(state, ""))
