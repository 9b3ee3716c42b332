from common.submission.runners.kubernetes.config import KubernetesConfig
from common.submission.runners.kubernetes.connection import JOBS, Connection
from common.submission.runners.kubernetes.objects import TaskObjects


def test_logs_are_kept_of_the_last_that_were_cancelled_only() -> None:
    objects = TaskObjects(Connection(KubernetesConfig(name="lab")), JOBS)
    for number in range(100):
        objects.remember(f"t-{number}", b"" if number % 7 == 0 else b"log")
    kept = [number for number in range(100) if objects.last_log(f"t-{number}")]
    assert kept == [number for number in range(68, 100) if number % 7]
    assert all(objects.was_cancelled(f"t-{number}") for number in range(100))
