import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from common.settings import TelemetrySettings
from common.telemetry.logs import configure_logs, get_logger
from tests.support.plugins import write_plugin
from tests.support.servers import run_python


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """What other tests find."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def configure(level: str = "INFO", log_format: str = "json") -> None:
    configure_logs(TelemetrySettings.model_validate({"level": level, "log_format": log_format}))


def written(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_an_event_is_one_line_of_json_with_time_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    get_logger("atoll.test").info("it happened", number=3, text="two\nlines")
    (line,) = written(capsys)
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "it happened",
        "number": 3,
        "text": "two\nlines",
        "level": "info",
        "logger": "atoll.test",
    }


def test_libraries_log_in_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    logging.getLogger("library").warning("watch %s", "out", extra={"colour": "red"})
    event = json.loads(written(capsys)[0])
    assert (event["event"], event["level"], event["colour"]) == ("watch out", "warning", "red")


def test_what_is_bound_to_the_context_stands_in_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    with structlog.contextvars.bound_contextvars(request_id="mine"):
        get_logger("atoll.test").info("one")
        logging.getLogger("library").warning("two")
    assert [json.loads(line)["request_id"] for line in written(capsys)] == ["mine", "mine"]


def test_less_severe_events_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="error")
    get_logger("atoll.test").info("small")
    logging.getLogger("library").warning("small")
    get_logger("atoll.test").error("large")
    assert [json.loads(line)["event"] for line in written(capsys)] == ["large"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_has_no_local_variables(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    configure(log_format=log_format)

    def fail(password: str) -> None:
        raise RuntimeError("no luck")

    try:
        fail("hunter2")
    except RuntimeError as exc:
        get_logger("atoll.test").error("failed", exc_info=exc)
        logging.getLogger("library").error("failed too", exc_info=exc)
    text = "\n".join(line for line in written(capsys) if 'fail("' not in line)
    assert text.count("RuntimeError") >= 2
    assert "hunter2" not in text


def test_configured_again_an_event_is_still_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    configure()
    get_logger("atoll.test").info("once")
    assert len(written(capsys)) == 1


def test_where_there_is_no_terminal_auto_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    configure(log_format="auto")
    get_logger("atoll.test").info("plain")
    json.loads(written(capsys)[0])


def test_the_console_form_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure(log_format="console")
    get_logger("atoll.test").info("it happened", number=3)
    assert "it happened" in written(capsys)[0]


def test_what_goes_wrong_before_any_start_up_is_logged_without_local_variables(tmp_path: Path) -> None:
    source = """
        def connect():
            password = "hunter" + "2"
            raise RuntimeError("no luck")
        connect()
    """
    path = write_plugin(tmp_path / "plugins", "broken", source)
    run = run_python(
        ["-c", "from common.app import create_app; create_app()"], tmp_path, {"ATOLL_PLUGIN_PATH": str(path)}
    )
    assert "no luck" in run.stderr
    assert "hunter2" not in run.stdout + run.stderr


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_secret_of_the_environment_is_in_no_log_line(tmp_path: Path, log_format: str) -> None:
    planted = 'planted "quoted" sécret'
    source = """
        import os
        from common.telemetry.logs import get_logger
        get_logger("atoll.test").warning("saw %s" % os.environ["PLUGIN_TOKEN"], value=os.environ["PLUGIN_TOKEN"])
        raise RuntimeError(dict(os.environ))
    """
    path = write_plugin(tmp_path / "plugins", "broken", source)
    environment = {"ATOLL_PLUGIN_PATH": str(path), "PLUGIN_TOKEN": planted, "LOG_FORMAT": log_format}
    run = run_python(["-c", "from common.app import create_app; create_app()"], tmp_path, environment)
    assert "saw ***" in run.stderr
    assert "RuntimeError" in run.stderr
    assert "planted" not in run.stdout + run.stderr
