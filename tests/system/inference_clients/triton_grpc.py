"""NVIDIA's `tritonclient.grpc`: python triton_grpc.py HOST:PORT"""

import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

client = triton.InferenceServerClient(sys.argv[1])
found: dict[str, Any] = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": [client.is_model_ready(name) for name in ("sample", "housing", "nope")],
    "server": client.get_server_metadata().name,
    "inputs": [item.name for item in client.get_model_metadata("sample").inputs],
    "index": [item.name for item in client.get_model_repository_index().models if item.state == "READY"],
}


def columns() -> list[Any]:
    row = {"MedInc": 8.3252, "HouseAge": 41.0, "AveRooms": 6.98, "AveBedrms": 1.02, "Population": 322.0}
    row |= {"AveOccup": 2.56, "Latitude": 37.88, "Longitude": -122.23}
    made = []
    for name, value in row.items():
        tensor = triton.InferInput(name, [3], "FP64")
        tensor.set_data_from_numpy(np.array([value, value, value]))
        made.append(tensor)
    return made


result = client.infer("housing", columns(), outputs=[triton.InferRequestedOutput("prediction")], request_id="a-7")
found["binary"] = result.as_numpy("prediction").tolist()
found["binary_id"] = result.get_response().id
found["all_outputs"] = client.infer("housing", columns()).as_numpy("prediction").tolist()
text = triton.InferInput("requiredField", [2, 1], "BYTES")
text.set_data_from_numpy(np.array([["a"], ["é"]], dtype=object))
found["text"] = [item.decode() for item in client.infer("sample", [text]).as_numpy("resp1").tolist()]
try:
    client.infer("housing", columns()[1:])
except InferenceServerException as error:
    found["error"] = [error.status(), error.message()]
sys.stdout.write(json.dumps(found))
