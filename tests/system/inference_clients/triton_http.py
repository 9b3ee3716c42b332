"""NVIDIA's `tritonclient.http`: python triton_http.py HOST:PORT"""

import json
import sys
from typing import Any

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

client = triton.InferenceServerClient(sys.argv[1])
found: dict[str, Any] = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": [client.is_model_ready(name) for name in ("sample", "housing", "nope")],
    "server": client.get_server_metadata()["name"],
    "inputs": [item["name"] for item in client.get_model_metadata("sample")["inputs"]],
    "index": [item["name"] for item in client.get_model_repository_index() if item["state"] == "READY"],
}


def columns(binary: bool) -> list[Any]:
    row = {"MedInc": 8.3252, "HouseAge": 41.0, "AveRooms": 6.98, "AveBedrms": 1.02, "Population": 322.0}
    row |= {"AveOccup": 2.56, "Latitude": 37.88, "Longitude": -122.23}
    made = []
    for name, value in row.items():
        tensor = triton.InferInput(name, [3], "FP64")
        tensor.set_data_from_numpy(np.array([value, value, value]), binary_data=binary)
        made.append(tensor)
    return made


for kind, binary in (("binary", True), ("json", False)):
    outputs = [triton.InferRequestedOutput("prediction", binary_data=binary)]
    result = client.infer("housing", columns(binary), outputs=outputs, request_id="a-7")
    found[kind] = result.as_numpy("prediction").tolist()
    found[f"{kind}_id"] = result.get_response()["id"]
found["all_outputs"] = client.infer("housing", columns(True)).as_numpy("prediction").tolist()
found["async"] = client.async_infer("housing", columns(True)).get_result().as_numpy("prediction").tolist()
text = triton.InferInput("requiredField", [2, 1], "BYTES")
text.set_data_from_numpy(np.array([["a"], ["é"]], dtype=object))
found["text"] = [item.decode() for item in client.infer("sample", [text]).as_numpy("resp1").tolist()]
try:
    client.infer("housing", columns(True)[1:])
except InferenceServerException as error:
    found["error"] = [error.status(), error.message()]
sys.stdout.write(json.dumps(found))
