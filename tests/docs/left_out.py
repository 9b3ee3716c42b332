"""What of README and docs no test runs, and why. All else is run: `test_examples.py` and `test_pages.py` see to it.

In the lists of lines and blocks, ` …` behind a beginning stands for the whole block; without it, for that line.
"""

AZURE = "an Azure account"
ENTRA = "a tenant of Microsoft Entra ID"
DOCKER = "Docker, or podman, and a registry of images"
TOOLS = "the Azure Functions Core Tools"
SPARK = "Spark and Java; tests/models/scaleout/test_closed_loop.py runs the same where they are"
DEMO = "PyTorch; tests/models/scaleout/demo/test_command.py runs it where that is"
MLFLOW = "an MLflow server; tests/common/registry/mlflow has one of their own"
INTERNET = "the internet"
SETUP = "a package index"
LONG = "ten minutes or more; tests run the same programs with fewer kills"

OIP = "run by tests/common/serving/oip/test_docs.py"
README = "run by tests/system/test_readme.py"
CODE = "run by tests/docs/test_plugin_code.py"

# Pages of which nothing can be run here.
PAGES = {
    "containers.md": DOCKER,
    "deploy-kubernetes.md": "a Kubernetes cluster, or an Azure account",
    "github-actions.md": "an Azure account and a repository on GitHub",
    "hpc.md": "an HPC cluster",
    "load-tests.md": "k6, and a load that tests must not make",
    "terraform.md": AZURE,
}

BLOCKS: dict[str, dict[str, str]] = {
    "README.md": {
        "make run": "as `atoll serve` is started by each of these tests",
        "make test": "these tests",
        "make run DATASET_PATH=/path/to/folder PORT=7080": "tests/system starts servers with these settings",
        "curl http://127.0.0.1:7071/sample_model/predict …": README,
        '{"resp1":"Hello Atoll"} …': README,
        "curl http://127.0.0.1:7071/imputation/predict …": README,
        '{\n  "rmse": 0.684 …': README,
        "curl http://127.0.0.1:7071/sentiment/predict …": README,
        '{\n  "predictions": [ …': README,
        ".venv/bin/atoll scaleout demo …": DEMO,
        "from fastapi import APIRouter …": CODE,
    },
    "hosted.md": {
        '{"tag": "iris", "version": 1, "values": [0]} …': "run by tests/system/test_tutorial_hosted.py",
    },
    "plugins.md": {
        "import enum …": CODE,
        "from functools import partial …": CODE,
        "from common.serving import progress …": CODE,
        "from common.plugins import Batching …": CODE,
        "def greet …": "compared by tests/models/sample/test_docs.py",
        "def warm …": CODE,
        "from common.plugins import Plugin\n …": CODE,
        "def suggest …": CODE,
        "def train …": CODE,
    },
    "backup.md": {
        "az storage share snapshot …": AZURE,
        "az postgres flexible-server restore …": AZURE,
    },
    "console.md": {"az ad app update …": ENTRA},
    "inference-protocol.md": {
        "curl http://127.0.0.1:7071/v2/models …": OIP,
        '{\n  "model_name": …': OIP,
        "import numpy as np …": "Triton's client; tests/system/test_inference_clients.py asks with it where it is",
    },
    "local.md": {
        "make setup && . .venv/bin/activate …": TOOLS,
        "atoll doctor   …": "what they find depends on the machine; tests/common/doctor runs each",
    },
    "operations.md": {"cp local.settings.example.json …": TOOLS},
    "registry.md": {
        "atoll registry export hosted.iris --tracking-uri http://127.0.0.1:5000": MLFLOW,
        "atoll registry import models:/iris@champion hosted.iris --tracking-uri http://127.0.0.1:5000": MLFLOW,
    },
    "reliability.md": {
        "make campaign": LONG,
        'make campaign ARGS="--kills 20 --backend embedded"': LONG,
        "make campaign-registry": LONG,
        "make campaign-submission": LONG,
        'make campaign-submission ARGS="--cluster slurm-ssh"': LONG,
    },
    "scaleout.md": {
        ".venv/bin/atoll scaleout demo …": DEMO,
        "mongoexport …": "MongoDB; tests/models/scaleout/importing/test_mongo.py has files as it writes them",
        "from spark_listener import Listener …": SPARK,
        "export ATOLL_KEY=… …": SPARK,
        ".venv/spark/bin/python -m benchmarks.spark.batch …": SPARK,
    },
    "sentiment.md": {
        '{"predictions": [ …': "run by tests/models/sentiment/test_docs.py",
        "from models.sentiment.classifier …": CODE,
        "pip install -e '.[train]' …": f"PyTorch and {SETUP}; tests/models/sentiment trains where PyTorch is",
        "pip install -e '.[pull]' …": f"{INTERNET}; tests/models/sentiment/pull pulls from a stand-in",
    },
    "tutorial.md": {
        "docker build …": DOCKER,
        "terraform -chdir=terraform init …": AZURE,
        "func azure functionapp publish …": AZURE,
        "export ATOLL_URL=$(terraform …": AZURE,
    },
    "security.md": {
        "role() { …": ENTRA,
        "SCOPE_ID=$(uuidgen) …": ENTRA,
        "az functionapp config …": AZURE,
        "SP=$(az ad sp show …": ENTRA,
        "TOKEN=$(az account get-access-token …": ENTRA,
        "CLIENT=$(az ad app create …": ENTRA,
        "give Atoll.Predict …": ENTRA,
        "curl -s -H Metadata:true …": "a machine on Azure",
        "TOKEN=$(curl -s https://keycloak.example.org …": "a Keycloak; tests/support/issuer.py issues such tokens",
    },
}
