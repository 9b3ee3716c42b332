from pathlib import Path

from tests.support.servers import run_python


def test_the_host_brings_no_metrics_before_it_knows_whether_processes_share_them(tmp_path: Path) -> None:
    code = "import sys, common.host.server; print(sorted({'prometheus_client', 'grpc'} & set(sys.modules)))"
    assert run_python(["-c", code], tmp_path).stdout.strip() == "[]"
