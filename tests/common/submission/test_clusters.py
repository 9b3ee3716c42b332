import sys
from pathlib import Path

import pytest

from common.errors import Invalid, SettingsError
from common.settings import Settings, SubmissionSettings
from common.settings.storage import StorageSettings
from common.submission.catalogue import Catalogue
from common.submission.clusters import load, missing_secrets, read, secret_fields
from common.submission.config import ClusterConfig
from common.submission.kinds import KINDS, ExtraMissing, Kind
from common.submission.runners.local.config import LocalConfig

STATE = Path("/state")


def clusters(text: str | None = None, **environ: str) -> dict[str, ClusterConfig]:
    return read(text, environ, state_dir=STATE)


def local(found: dict[str, ClusterConfig], name: str = "local") -> LocalConfig:
    config = found[name]
    assert isinstance(config, LocalConfig)
    return config


def faults(text: str | None = None, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        clusters(text, **environ)
    head, *lines = caught.value.detail.splitlines()
    assert head == "the clusters are not configured right:"
    return [line.removeprefix("- ") for line in lines]


def test_local_exists_without_configuration() -> None:
    config = local(clusters())
    assert (config.partitions, config.default_partition) == (("cpu",), "cpu")
    assert config.folder == "/state/tasks/local"
    assert config.python == sys.executable
    assert config.slots >= 1


def test_local_exists_beside_the_clusters_of_the_file() -> None:
    found = clusters('[two]\nkind = "local"\nslots = 2')
    assert sorted(found) == ["local", "two"]
    assert local(found, "two").slots == 2


def test_local_can_be_taken_away() -> None:
    assert clusters('[local]\nkind = "local"\nenabled = false') == {}
    assert clusters(ATOLL_CLUSTER_LOCAL_ENABLED="false") == {}


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_has_a_config_that_can_be_imported_without_its_extra(kind: str) -> None:
    config = KINDS[kind].config_class()
    assert issubclass(config, ClusterConfig)


def test_a_variable_wins_over_the_file() -> None:
    found = clusters('[two]\nkind = "local"\nslots = 2', ATOLL_CLUSTER_TWO_SLOTS="3", ATOLL_CLUSTER_LOCAL_SLOTS="4")
    assert (local(found, "two").slots, local(found).slots) == (3, 4)


def test_variables_hold_lists_and_tables() -> None:
    config = clusters(
        ATOLL_CLUSTER_LOCAL_PARTITIONS="cpu, big",
        ATOLL_CLUSTER_LOCAL_ALLOWED_IMAGES='["a", "b,c"]',
        ATOLL_CLUSTER_LOCAL_ENVIRONMENT='{ OMP_NUM_THREADS = "1" }',
        ATOLL_CLUSTER_LOCAL_TITLE="[no list]",
    )["local"]
    assert config.partitions == ("cpu", "big")
    assert config.allowed_images == ("a", "b,c")
    assert config.environment == {"OMP_NUM_THREADS": "1"}
    assert config.title == "[no list]"


def test_a_variable_belongs_to_the_cluster_with_the_longest_name() -> None:
    text = '[hpc]\nkind = "local"\n[hpc-big]\nkind = "local"'
    found = clusters(text, ATOLL_CLUSTER_HPC_BIG_SLOTS="7", ATOLL_CLUSTER_HPC_TITLE="small")
    assert (local(found, "hpc-big").slots, found["hpc"].title, found["hpc-big"].title) == (7, "small", "")


def test_a_cluster_can_be_made_by_variables_alone() -> None:
    assert local(clusters(ATOLL_CLUSTER_LAB_TWO_KIND="local", ATOLL_CLUSTER_LAB_TWO_SLOTS="2"), "lab-two").slots == 2


def test_what_a_task_is_told_is_no_setting() -> None:
    assert sorted(clusters(ATOLL_CLUSTER_JOB_ID="12")) == ["local"]


def test_kubernetes_variables_make_its_clusters() -> None:
    found = clusters(
        KUBERNETES_ENDPOINT="https://k8s.example.org",
        KUBERNETES_NAMESPACE="atoll",
        KUBERNETES_API_KEY="secret",
        KUBERNETES_API_KEY_PREFIX="Token",
    )
    assert sorted(found) == ["kubernetes", "local", "spark"]
    for name in ("kubernetes", "spark"):
        told = found[name].model_dump()
        assert told["kind"] == name
        assert (told["endpoint"], told["namespace"]) == ("https://k8s.example.org", "atoll")
        assert (told["api_key"], told["api_key_prefix"]) == ("env:KUBERNETES_API_KEY", "Token")


def test_a_kubeconfig_makes_its_clusters() -> None:
    found = clusters(KUBECONFIG="/home/me/.kube/config")
    assert [found[name].model_dump()["kubeconfig"] for name in ("kubernetes", "spark")] == ["/home/me/.kube/config"] * 2


def test_all_faults_are_told_at_once_with_their_places() -> None:
    text = """
stray = 1
[one]
kind = "slurm"
[two]
[three]
kind = "local"
slot = 2
slots = 0
timeout_s = "soon"
name = "x"
"""
    found = faults(text, ATOLL_CLUSTER_LOCAL_SLOTS="none", ATOLL_CLUSTER_FOUR_SLOTS="1")
    assert found[0].startswith("clusters.toml: stray stands outside of a section")
    assert any(
        line.startswith("ATOLL_CLUSTER_FOUR_SLOTS: there is no such cluster; those configured") for line in found
    )
    assert any(
        line.startswith("clusters.toml: [one] kind: 'slurm' is no kind of cluster; write one of l") for line in found
    )
    assert any(
        line.startswith("clusters.toml: [two] kind: is missing; write one of local, slurm-ssh") for line in found
    )
    assert any(
        "[three] slot: there is no such field; did you mean slots? A local cluster has: " in line for line in found
    )
    assert any("[three] slots = 0: should be greater than or equal to 1" in line for line in found)
    assert any("[three] timeout_s = 'soon': should be a valid number" in line for line in found)
    assert any("[three] name: leave it out; the name is that of the section" in line for line in found)
    assert any(line.startswith("ATOLL_CLUSTER_LOCAL_SLOTS = 'none': should be a valid integer") for line in found)
    assert len(found) == 9


def test_a_missing_field_is_named() -> None:
    found = faults('[hpc]\nkind = "slurm-ssh"')
    assert "clusters.toml: [hpc] folder: is missing; write folder = …" in found


def test_a_file_that_is_no_toml_is_told_with_the_line() -> None:
    [fault] = faults("[one]\nkind = local\n")
    assert fault.startswith("clusters.toml: is no TOML: ")
    assert "line 2" in fault


@pytest.mark.parametrize("name", ['"a b"', '"a\\nb"', '"../x"', '""', '"' + "x" * 65 + '"'])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    [fault] = faults(f'[{name}]\nkind = "local"')
    assert "is no name of a cluster" in fault


def test_a_secret_that_is_written_out_is_refused_and_not_shown() -> None:
    text = '[k]\nkind = "kubernetes"\nendpoint = "https://k8s.example.org"\napi_key = "hunter2hunter2"'
    [fault] = faults(text)
    assert fault == (
        "clusters.toml: [k] api_key: is a secret, which is given by reference only: env:NAME or file:/path"
    )


def test_a_secret_whose_variable_is_not_set_is_told() -> None:
    text = '[k]\nkind = "kubernetes"\nendpoint = "https://k8s.example.org"\napi_key = "env:K8S_TOKEN"'
    assert faults(text) == ["clusters.toml: [k] api_key: refers to the variable K8S_TOKEN, which is not set"]
    assert "k" in clusters(text, K8S_TOKEN="x")  # noqa: S106 - a variable's name


def test_a_secret_in_a_file_that_is_not_there_yet_is_left_to_the_check(tmp_path: Path) -> None:
    text = f'[k]\nkind = "kubernetes"\nendpoint = "https://k8s.example.org"\napi_key = "file:{tmp_path}/token"'
    config = clusters(text)["k"]
    assert missing_secrets(config) == [f"api_key: the file {tmp_path}/token cannot be read: No such file or directory"]
    (tmp_path / "token").write_text("x")
    assert missing_secrets(config) == []


def test_secrets_are_known_by_their_type() -> None:
    assert "api_key" in secret_fields(KINDS["kubernetes"].config_class())
    assert secret_fields(LocalConfig) == ()


def settings_of(tmp_path: Path, text: str | None) -> Settings:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text)
    return Settings(
        storage=StorageSettings(state_dir=tmp_path / "state"), submission=SubmissionSettings(clusters_file=path)
    )


def test_the_file_of_the_setting_is_read_and_named(tmp_path: Path) -> None:
    assert sorted(load(settings_of(tmp_path, '[two]\nkind = "local"'), {})) == ["local", "two"]
    with pytest.raises(SettingsError, match=r"- mine\.toml: \[two\] kind: is missing"):
        load(settings_of(tmp_path, "[two]"), {})


def test_a_file_that_is_named_and_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CLUSTERS_FILE=.*mine\.toml' cannot be read: No such file"):
        load(settings_of(tmp_path, None), {})


def test_the_catalogue_keeps_a_runner(tmp_path: Path) -> None:
    catalogue = Catalogue.of(settings_of(tmp_path, '[two]\nkind = "local"'))
    assert catalogue.names == ["local", "two"]
    assert catalogue.get("two") is catalogue.get("two")
    assert catalogue.get("two").config is catalogue.config("two")
    catalogue.close()


def test_an_unknown_cluster_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(Invalid, match=r"cluster: there is no such cluster here; those configured are: local") as caught:
        Catalogue(clusters()).get("atena02")
    assert caught.value.errors[0].value == "atena02"


def test_what_has_to_be_installed_is_told() -> None:
    kind = Kind("a:B", "c:D", extra="kubernetes", package="a_package_that_is_not_installed")
    with pytest.raises(ExtraMissing, match=r"pip install 'atoll\[kubernetes\]'"):
        kind.runner_class()
