import re
from pathlib import Path

from common.jobs.states import Kind, State
from common.submission.states import TaskState
from common.telemetry import metrics
from tests.support.clients import Client
from tests.support.servers import run_python


def count(**labels: str) -> float:
    """Requests counted so far."""
    wanted = ",".join(f'{name}="{value}"' for name, value in labels.items())
    found = re.search(
        rf"^atoll_http_requests_total{{{re.escape(wanted)}}} (\S+)$", metrics.exposition().decode(), re.MULTILINE
    )
    return float(found.group(1)) if found else 0.0


def test_the_page_is_prometheus_text(client: Client) -> None:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "# TYPE atoll_http_requests_total counter" in response.text


def test_a_request_is_counted_by_method_template_and_status(client: Client) -> None:
    labels = {"method": "GET", "route": "/docs/{name}", "status": "404"}
    before = count(**labels)
    client.get("/docs/nothing")
    assert count(**labels) - before == 1


def test_head_is_counted_as_head(client: Client) -> None:
    labels = {"method": "HEAD", "route": "/models", "status": "200"}
    before = count(**labels)
    client.request("HEAD", "/models")
    assert count(**labels) - before == 1


def test_unknown_paths_and_methods_share_one_label(client: Client) -> None:
    labels = {"method": "*", "route": "(unmatched)", "status": "404"}
    before = count(**labels)
    for number in range(5):
        client.request(f"METHOD{number}", f"/nothing/{number}")
    assert count(**labels) - before == 5
    assert "/nothing/" not in metrics.exposition().decode()
    assert "METHOD" not in metrics.exposition().decode()


def test_an_unknown_method_on_a_known_path_makes_no_label_of_its_own(client: Client) -> None:
    client.request("INVENTED", "/models")
    assert "INVENTED" not in metrics.exposition().decode()


def test_a_failed_request_is_counted(client: Client) -> None:
    labels = {"method": "POST", "route": "/sample_model/predict", "status": "422"}
    before = count(**labels)
    client.post("/sample_model/predict", json={})
    assert count(**labels) - before == 1


def test_a_ready_model_shows(client: Client) -> None:
    assert 'atoll_model_ready{model="sample"} 1.0' in client.get("/metrics").text


def test_what_may_be_counted_is_there_before_it_happens(tmp_path: Path) -> None:
    code = "from common.telemetry import metrics; metrics.know_cluster('c'); print(metrics.exposition().decode())"
    page = run_python(["-c", code], tmp_path).stdout
    ends = {state for state in State if state.is_finished} | {State.RETRYING, State.QUEUED}
    assert named(page, "atoll_job_attempts_total") == {
        f'kind="{kind}",state="{state}"': 0.0 for kind in Kind for state in ends
    }
    assert named(page, "atoll_tasks_finished_total") == {
        f'cluster="c",state="{state}"': 0.0 for state in TaskState if state.is_finished
    }


def named(page: str, metric: str) -> dict[str, float]:
    """Values by labels."""
    found = re.findall(rf"^{metric}{{(.+)}} (\S+)$", page, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_several_processes_are_summed_and_survive_their_end(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    env = {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    work = "from common.telemetry import metrics; metrics.POOL_REJECTED.inc(2); metrics.POOL_TAKEN.inc()"
    for _ in range(2):
        assert run_python(["-c", work], tmp_path, env).returncode == 0
    asked = run_python(
        ["-c", "from common.telemetry import metrics; print(metrics.exposition().decode())"], tmp_path, env
    )
    assert "atoll_pool_rejected_total 4.0" in asked.stdout
    # A gauge counts the living, and there is none.
    assert "atoll_pool_taken 1.0" not in asked.stdout
    assert "atoll_pool_taken 2.0" not in asked.stdout


def test_a_file_that_a_starting_process_is_making_is_waited_for(tmp_path: Path) -> None:
    code = """
import os, threading
from pathlib import Path
from common.telemetry import metrics

metrics.STARTUPS.inc()
made = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]) / f"counter_{os.getppid()}.db"
made.touch()
threading.Timer(0.01, made.write_bytes, [bytes(4096)]).start()
print(metrics.exposition().decode())
"""
    printed = run_python(["-c", code], tmp_path, {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}).stdout
    assert "atoll_startups_total 1.0" in printed
