from tests.common.registry.mlflow.conftest import mlflow_python, tracking_server

__all__ = ["mlflow_python", "tracking_server"]
