import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import SettingsError
from common.plugins import is_served
from common.plugins.contract import RESERVED_NAMES
from common.plugins.discovery import discover
from common.plugins.record import PluginRecord
from common.settings import PluginSettings, get_settings
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_problem

MINIMAL = """
    from fastapi import APIRouter
    router = APIRouter(prefix="/{name}")

    @router.get("/hello")
    async def hello() -> str:
        return "{said}"
"""


def minimal(folder: Path, name: str, said: str = "hello") -> Path:
    return write_plugin(folder, name, MINIMAL.format(name=name, said=said))


@pytest.fixture(autouse=True)
def _forget_imports(tmp_path: Path) -> Iterator[None]:
    """Plugins of one test must not be those of the next."""
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def find(*path: Path, serve: tuple[str, ...] = ()) -> dict[str, PluginRecord]:
    return {record.name: record for record in discover(PluginSettings(path=path, service_model=serve))}


def test_the_bundled_plugins_are_found_in_the_order_of_their_names() -> None:
    names = [record.name for record in discover(PluginSettings())]
    assert {"imputation", "sample"} <= set(names)
    assert names == sorted(names)


def test_a_package_in_the_plugin_path_is_a_plugin(tmp_path: Path) -> None:
    assert find(minimal(tmp_path, "alpha"))["alpha"].is_ready()


def test_a_leading_underscore_makes_no_plugin(tmp_path: Path) -> None:
    assert "_shared" not in find(write_plugin(tmp_path, "_shared", "raise RuntimeError"))
    assert "_indicators" not in find()


def test_a_module_that_is_no_package_is_no_plugin(tmp_path: Path) -> None:
    (tmp_path / "loose.py").write_text("raise RuntimeError")
    assert "loose" not in find(tmp_path)


def test_a_name_found_twice_is_taken_from_the_first_folder(tmp_path: Path) -> None:
    first, second = minimal(tmp_path / "1", "twin", "first"), minimal(tmp_path / "2", "twin", "second")
    client = Client(make_app(tmp_path / "state", path=(first, second), serve=("twin",)))
    assert client.get("/twin/hello").json() == "first"


def test_a_bundled_plugin_counts_before_one_of_the_same_name(tmp_path: Path) -> None:
    found = find(write_plugin(tmp_path, "sample", "raise RuntimeError"))
    assert found["sample"].module == "models.sample"


def test_a_path_that_is_no_folder_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(SettingsError, match=str(path)):
            find(path)


def test_a_relative_path_is_one_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minimal(tmp_path / "plugins", "alpha")
    monkeypatch.chdir(tmp_path)
    # As `python -m` and uvicorn leave it: the name is found on the import path too, as the same file.
    monkeypatch.syspath_prepend(str(tmp_path / "plugins"))
    assert find(Path("plugins"))["alpha"].is_ready()


def test_the_plugin_path_is_not_left_on_the_import_path(tmp_path: Path) -> None:
    before = list(sys.path)
    find(minimal(tmp_path, "tidy"))
    assert sys.path == before


def test_a_plugin_of_the_path_may_import_its_own_modules(tmp_path: Path) -> None:
    write_plugin(tmp_path, "parted", "from parted.routes import router")
    (tmp_path / "parted" / "routes.py").write_text("from fastapi import APIRouter\nrouter = APIRouter()\n")
    assert find(tmp_path)["parted"].is_ready()


def test_every_route_of_atolls_own_has_a_reserved_name(tmp_path: Path) -> None:
    paths = make_app(tmp_path).openapi()["paths"]
    own = {path.split("/")[1] for path in paths if not path.startswith("/sample_model/")} - {""}
    assert own - RESERVED_NAMES == set()


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_reserved_name_is_refused(tmp_path: Path, name: str) -> None:
    record = find(minimal(tmp_path, name))[name]
    assert record.router is None
    assert "reserved" in str(record.reason)


@pytest.mark.parametrize("name", ["Upper", "über", "x" * 64])
def test_a_name_that_is_not_plain_is_refused(tmp_path: Path, name: str) -> None:
    assert find(minimal(tmp_path, name))[name].router is None


@pytest.mark.parametrize("name", ["json", "numpy", "common"])
def test_a_plugin_does_not_take_the_place_of_an_installed_package(tmp_path: Path, name: str) -> None:
    before = importlib.import_module(name)
    record = find(minimal(tmp_path, name))[name]
    assert "installed package" in str(record.reason)
    assert sys.modules[name] is before


def test_a_plugin_folder_may_be_on_the_import_path_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find(minimal(tmp_path, "alpha"))["alpha"].is_ready()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import sys; sys.exit('usage: …')", "SystemExit: usage: …"),
        ("def f(:", "SyntaxError"),
        ("x = 1", "no `router: APIRouter`"),
        ("router = 'mine'", "no `router: APIRouter`"),
        ("from fastapi import APIRouter\nrouter = APIRouter()\nplugin = {'title': 'x'}", "not a common.plugins.Plugin"),
        ("def __getattr__(name):\n    import json\n    return json.absent", "module 'json' has no attribute 'absent'"),
    ],
    ids=["missing library", "error", "exit", "syntax", "no router", "no APIRouter", "no Plugin", "error on first use"],
)
def test_a_plugin_that_cannot_be_imported_is_unavailable_with_the_reason(
    tmp_path: Path, source: str, reason: str
) -> None:
    record = find(write_plugin(tmp_path, "broken", source))["broken"]
    assert record.state == "unavailable"
    assert reason in str(record.reason)


def test_a_very_long_reason_is_cut_short(tmp_path: Path) -> None:
    record = find(write_plugin(tmp_path, "broken", "raise RuntimeError('x' * 10_000)"))["broken"]
    assert len(str(record.reason)) <= 500


def test_the_others_are_served_beside_a_broken_plugin(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "broken", "raise RuntimeError")
    client = Client(make_app(tmp_path / "state", path=(path,), serve=("broken", "sample")))
    assert client.post("/sample_model/predict", json={"requiredField": "you"}).status_code == 200
    models = {model["name"]: model for model in client.get("/models").json()}
    assert (models["broken"]["state"], models["sample"]["state"]) == ("unavailable", "ready")


def test_a_broken_plugin_has_no_routes(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "broken", "raise RuntimeError")
    client = Client(make_app(tmp_path / "state", path=(path,), serve=("broken", "sample")))
    assert_problem(client.post("/broken/predict", json={}), 404)


def test_service_model_serves_only_what_it_names(tmp_path: Path) -> None:
    minimal(tmp_path, "alpha")
    assert set(find(minimal(tmp_path, "beta"), serve=("beta", "sample"))) == {"beta", "sample"}


def test_what_service_model_does_not_name_is_not_even_imported(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "costly", "import pathlib; (pathlib.Path(__file__).parent / 'imported').touch()")
    find(path, serve=("sample",))
    assert not (tmp_path / "costly" / "imported").exists()


def test_a_name_in_service_model_that_does_not_exist_is_unavailable_and_the_reason_lists_those_found() -> None:
    record = find(serve=("smaple", "sample"))["smaple"]
    assert record.state == "unavailable"
    assert "'smaple'" in str(record.reason)
    assert "sample" in str(record.reason).split("found:")[1]


def test_a_plugin_may_ask_whether_it_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_MODEL", "alpha,beta")
    assert is_served("beta")
    assert not is_served("gamma")


def test_every_plugin_is_served_where_nothing_is_chosen() -> None:
    assert get_settings().plugins.service_model == ()
    assert is_served("anything")


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    """What pip leaves behind for a distribution with entry points."""
    info = folder / "third_party-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in points.items()]
    (info / "entry_points.txt").write_text("[atoll.models]\n" + "\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(folder))


def test_an_installed_package_adds_its_plugin_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(minimal(tmp_path, "third_party"), monkeypatch, third="third_party")
    client = Client(make_app(tmp_path / "state", serve=("third",)))
    assert client.get("/third_party/hello").json() == "hello"


def test_an_entry_point_that_leads_nowhere_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, third="no_such_package")
    assert "no_such_package" in str(find()["third"].reason)


def test_a_bundled_plugin_counts_before_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(minimal(tmp_path, "third_party"), monkeypatch, sample="third_party")
    assert find()["sample"].module == "models.sample"


def test_an_entry_point_is_not_imported_where_service_model_names_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(minimal(tmp_path, "third_party"), monkeypatch, third="third_party")
    find(serve=("sample",))
    assert "third_party" not in sys.modules
