"""A program as users write it, in an environment with MLflow: it knows nothing of Atoll.

`nested` starts a run within the run, `elsewhere` an experiment of its own.
"""

import sys

import mlflow

if "elsewhere" in sys.argv:
    mlflow.set_experiment("elsewhere")
with mlflow.start_run():
    mlflow.log_param("n_estimators", 2)
    mlflow.log_metric("accuracy", 0.5, step=0)
    mlflow.log_metric("accuracy", 0.75, step=1)
    mlflow.log_metric("loss", float("nan"))
    if "nested" in sys.argv:
        with mlflow.start_run(nested=True):
            mlflow.log_metric("accuracy", 0.1)
    mlflow.log_text("what it made", "note.txt")
