"""KServe's `InferenceRESTClient`: python kserve_rest.py http://HOST:PORT"""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import (
    InferenceRESTClient,
    InferInput,
    InferRequest,
    RESTConfig,
)


def columns(binary: bool) -> list[Any]:
    row = {"MedInc": 8.3252, "HouseAge": 41.0, "AveRooms": 6.98, "AveBedrms": 1.02, "Population": 322.0}
    row |= {"AveOccup": 2.56, "Latitude": 37.88, "Longitude": -122.23}
    made = []
    for name, value in row.items():
        tensor = InferInput(name, [3], "FP64")
        tensor.set_data_from_numpy(np.array([value, value, value]), binary_data=binary)
        made.append(tensor)
    return made


async def main(url: str) -> dict[str, Any]:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    found: dict[str, Any] = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model_ready": [await client.is_model_ready(url, name) for name in ("sample", "housing", "nope")],
    }
    for kind, binary in (("json", False), ("binary", True)):
        request = InferRequest(
            "housing", columns(binary), request_id="a-7", parameters={"binary_data_output": True} if binary else None
        )
        result = await client.infer(url, request, model_name="housing")
        found[kind] = result.outputs[0].as_numpy().tolist()
        found[f"{kind}_id"] = result.id
    text = InferInput("requiredField", [2, 1], "BYTES")
    text.set_data_from_numpy(np.array([["a"], ["é"]], dtype=object), binary_data=False)
    result = await client.infer(url, InferRequest("sample", [text]), model_name="sample")
    found["text"] = result.outputs[0].as_numpy().tolist()
    try:
        await client.infer(url, InferRequest("housing", columns(False)[1:]), model_name="housing")
    except httpx.HTTPStatusError as error:
        found["error"] = [str(error.response.status_code), error.response.json()["error"]]
    await client.close()
    return found


sys.stdout.write(json.dumps(asyncio.run(main(sys.argv[1]))))
