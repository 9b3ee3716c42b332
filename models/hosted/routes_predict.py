"""`POST /hosted/models/{ref}/predict`."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response

from common.errors import Invalid
from common.http.openapi import problem_answer
from common.registry.asked import Asked
from models.hosted.definitions import Predicted, Ref, Reference, Values, split_ref
from models.hosted.images import Pixels
from models.hosted.predicting import Answered, predicted

router = APIRouter(prefix="/models")

_IMAGE = {"type": "string", "format": "binary"}
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["values"],
                "additionalProperties": False,
                "properties": {"values": {"description": Values.model_fields["values"].description}},
            },
            "example": {"values": [5.1, 3.5, 1.4, 0.2]},
        },
        "image/png": {"schema": _IMAGE},
        "image/jpeg": {"schema": _IMAGE},
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["path"], "properties": {"path": _IMAGE}},
        },
    },
}
_NUMBERS = r"^-?[0-9]+(\.[0-9]+)?(,-?[0-9]+(\.[0-9]+)?){0,3}$"

Scale = Annotated[
    float, Query(gt=0, allow_inf_nan=False, description="Of an image: 0 to 255 is divided by it; 255 gives 0 to 1.")
]
ByChannel = Annotated[
    str | None, Query(pattern=_NUMBERS, description="Of an image: by channel, after the division.", examples=["0.5"])
]


@router.post(
    "/{ref}/predict",
    response_model=Predicted,
    summary="Ask a hosted model",
    openapi_extra={"requestBody": _BODY},
    responses={404: problem_answer("No such tag or version; `detail` names what there is.")},
)
async def predict(
    request: Request, ref: Ref, which: Asked, scale: Scale = 1.0, mean: ByChannel = None, std: ByChannel = None
) -> Response:
    """One observation or a list of them; or an image, which is resized and laid out as the model takes it.

    `X-Model-Version` tells which version answered.
    """
    reference = split_ref(ref)
    answered = await predicted(request, reference, named(reference, which), pixels_of(scale, mean, std))
    head = b'{"tag":' + orjson.dumps(answered.tag) + b',"version":%d' % answered.version
    body = head + b',"values":' + answered.values + b',"outputs":' + outputs_json(answered) + b"}"
    return Response(body, media_type="application/json", headers=answered.headers)


def outputs_json(answered: Answered) -> bytes:
    return b"{" + b",".join(orjson.dumps(name) + b":" + value for name, value in answered.outputs.items()) + b"}"


def pixels_of(scale: float, mean: str | None, std: str | None) -> Pixels:
    """
    Raises
    ------
    Invalid
        A deviation is 0.
    """
    found = Pixels(scale, _numbers(mean), _numbers(std))
    if 0.0 in found.std:
        raise Invalid.field("std", "is divided by, so not 0", std, where="query")
    return found


def named(reference: Reference, which: int | str | None) -> int | str | None:
    """Which version a request names, in its path or in its query.

    Raises
    ------
    Invalid
        Both name one.
    """
    if reference.which is not None and which is not None:
        told = f"the path names {reference.which} already; leave version and alias out"
        raise Invalid.field("version", told, which, where="query")
    return reference.which if which is None else which


def _numbers(given: str | None) -> tuple[float, ...]:
    return tuple(map(float, given.split(","))) if given else ()
