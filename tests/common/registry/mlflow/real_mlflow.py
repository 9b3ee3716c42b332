"""Runs in an environment with MLflow itself: makes models as its users do, and opens those of Atoll.

`save FOLDER` writes one model of each kind; `open PLACE COLUMNS` opens a model as a Python function and prints what it
makes of one row; `log URI NAME` logs a model to a tracking server, with a figure.
"""

import json
import sys
from pathlib import Path
from typing import Any

import mlflow  # in the environment that this is run in
import numpy as np
from mlflow.models import infer_signature  # as above
from sklearn.linear_model import LogisticRegression

X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "float32")
Y = np.array([0, 0, 1, 1])


def trained() -> LogisticRegression:
    return LogisticRegression().fit(X, Y)


def as_onnx() -> Any:
    from skl2onnx import to_onnx

    return to_onnx(trained(), X[:1], options={"zipmap": False})


def save(folder: Path) -> None:
    signature = infer_signature(X, Y)
    mlflow.onnx.save_model(as_onnx(), folder / "onnx", signature=signature)
    mlflow.sklearn.save_model(trained(), folder / "skops", serialization_format="skops", signature=signature)
    mlflow.sklearn.save_model(trained(), folder / "pickle", serialization_format="cloudpickle")


def open_model(place: str) -> None:
    model = mlflow.pyfunc.load_model(place)
    names = model.metadata.get_input_schema().input_names()
    row = np.array([[0.0, 1.0]], "float32")
    told = model.predict({names[0]: row} if isinstance(names[0], str) else row)
    label = told["label"] if isinstance(told, dict) else told
    sys.stdout.write(json.dumps({"label": np.asarray(label).tolist()}))


def log(uri: str, name: str) -> None:
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run():
        mlflow.log_metric("accuracy", 0.75)
        mlflow.onnx.log_model(as_onnx(), name="model", registered_model_name=name)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(name, "best", "1")
    client.update_model_version(name, "1", description="logged at home")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["save", folder]:
            save(Path(folder))
        case ["open", place]:
            open_model(place)
        case ["log", uri, name]:
            log(uri, name)
