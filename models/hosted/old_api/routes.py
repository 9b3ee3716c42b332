"""The old routes. They do what the new ones do, and answer in the old shape."""

from typing import Any

import orjson
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from common.errors import BadRequest, Invalid
from common.registry.asked import Asked
from common.registry.versions import DEFAULT_ALIAS, MAX_NUMBER
from common.security.authenticate import principal_of
from models.hosted import lookup, service
from models.hosted.definitions import Ref, Reference, Tag, split_ref
from models.hosted.forms import is_form
from models.hosted.images import Pixels
from models.hosted.old_api.envelope import enveloped, raw
from models.hosted.old_api.told import information_of, list_entry, version_entries
from models.hosted.old_api.training import train
from models.hosted.predicting import predicted
from models.hosted.routes import file_answer
from models.hosted.routes_hosts import call_hosts
from models.hosted.routes_predict import named
from models.hosted.uploading import runtime_of, upload
from models.hosted.uploads import ANY_SIZE

router = APIRouter()
help_router = APIRouter()

_HELP = """\
GET    /api/v1/models                        tags and what is known of each
GET    /api/v1/models/information            the same with all versions
POST   /api/v1/models/{tag}                  upload a model: -F path=@file -F model_description=...
PUT    /api/v1/models/{tag}                  the same
GET    /api/v1/models/{tag}                  download the default version; {tag}:3 is version 3
DELETE /api/v1/models/{tag}                  delete the tag; {tag}:3 is version 3, {tag}:default the default one
POST   /api/v1/models/{tag}/default          {"default": 2} chooses the version that answers
GET    /api/v1/models/{tag}/information      inputs, outputs, versions
POST   /api/v1/models/{tag}/prediction       {"values": [5.1, 3.5, 1.4, 0.2]}, or an image: -F path=@cat.png
POST   /api/v1/train/{tag}/{name}            train on a cluster: -F script=@train.py -F dataset=@data.csv
GET    /api/test                             says that it works
POST   /api/test/sendtomodelhost             {"data": ["ONE", "TWO"]} calls a model host for each

New clients use /hosted; /docs lists all routes.
"""
_MAX_CALLS = 10_000


@help_router.get("")
async def get_help() -> Response:
    return Response(_HELP, media_type="text/plain; charset=utf-8")


@router.get("/v1/models")
async def get_models(request: Request) -> Response:
    found = await to_thread.run_sync(lambda: lookup.informations(runtime_of(request).registry))
    return enveloped("Model list provided", model_list=[item.file for item in found], tag_list=[i.tag for i in found])


@router.get("/v1/models/information")
async def get_all_information(request: Request) -> Response:
    found = await to_thread.run_sync(lambda: lookup.informations(runtime_of(request).registry))
    return enveloped(
        "Model list provided",
        model_list=[list_entry(item) for item in found],
        tag_list=[item.tag for item in found],
        tag_list_versions={item.tag: version_entries(item.versions) for item in found},
    )


@router.post("/v1/models/{ref}", max_body_size=ANY_SIZE)
@router.put("/v1/models/{ref}", max_body_size=ANY_SIZE)
async def upload_model(request: Request, ref: Tag) -> Response:
    """The new version becomes the default, as it did; JSON with `model_description` describes the tag instead."""
    if not is_form(request) and "json" in request.headers.get("content-type", ""):
        return await _describe(request, Reference(ref))
    made = await upload(request, ref, alias=DEFAULT_ALIAS)
    return enveloped(
        f"File {made.ref} saved with the tag {made.tag}",
        status=201,
        tag=made.tag,
        version=made.version,
        default_version=made.version if DEFAULT_ALIAS in made.aliases else None,
    )


@router.get("/v1/models/{ref}")
async def download(request: Request, ref: Ref) -> Response:
    return await file_answer(request, split_ref(ref))


@router.delete("/v1/models/{ref}")
async def delete_model(request: Request, ref: Ref) -> Response:
    by, reference = principal_of(request), split_ref(ref)
    gone = await to_thread.run_sync(lambda: service.delete_old(runtime_of(request).registry, reference, by))
    return enveloped(f"{ref} removed" if gone is None else f"Version {gone.number} of {reference.tag} removed")


@router.post("/v1/models/{ref}/default")
async def set_default(request: Request, ref: Tag) -> Response:
    wanted = (await _object(request)).get("default")
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= MAX_NUMBER:
        raise Invalid.field("default", 'the number of a version; send {"default": 2}', wanted)
    by = principal_of(request)
    change = await to_thread.run_sync(lambda: service.set_default(runtime_of(request).registry, ref, wanted, by))
    return enveloped(f"The tag {ref} with the version {change.default} has been set as default")


@router.get("/v1/models/{ref}/information")
async def get_information(request: Request, ref: Ref) -> Response:
    reference = split_ref(ref)
    found = await to_thread.run_sync(lambda: lookup.information(runtime_of(request).registry, reference))
    return raw("", information_of(found) | {"tag": found.tag})


@router.put("/v1/models/{ref}/information")
async def put_information(request: Request, ref: Ref) -> Response:
    return await _describe(request, split_ref(ref))


@router.get("/v1/models/{ref}/prediction")
@router.post("/v1/models/{ref}/prediction")
async def predict(request: Request, ref: Ref, which: Asked) -> Response:
    reference = split_ref(ref)
    answered = await predicted(request, reference, named(reference, which), Pixels())
    return raw("Prediction successful", {}, {"values": answered.values}, headers=answered.headers)


router.add_api_route("/v1/train/{tag}/{name}", train, methods=["POST"], max_body_size=ANY_SIZE)


@router.get("/test")
async def get_test() -> Response:
    return enveloped()


@router.get("/test/sendtomodelhost")
@router.get("/test/sendtomodelhost/")
@router.post("/test/sendtomodelhost")
@router.post("/test/sendtomodelhost/")
async def send_to_model_host(request: Request) -> Response:
    data = (await _object(request)).get("data")
    if not isinstance(data, list):
        raise Invalid.field("data", 'a list; send {"data": ["ONE", "TWO"]}', data)
    if len(data) > _MAX_CALLS:
        raise Invalid.field("data", f"at most {_MAX_CALLS} items", len(data))
    answers = await call_hosts(request, data)
    for answer in answers:
        answer["description"] = f"Received {orjson.dumps(answer['data']).decode()} from modelhost {answer['id']}"
    return enveloped(answers=answers, hosts=sorted({answer["id"] for answer in answers}))


async def _describe(request: Request, reference: Reference) -> Response:
    description = (await _object(request)).get("model_description")
    if not isinstance(description, str):
        raise Invalid.field("model_description", "a text", description)
    text, by = service.told_description(description), principal_of(request)
    await to_thread.run_sync(lambda: service.describe(runtime_of(request).registry, reference, text, by))
    return enveloped(f"The description of {reference.tag} has been changed")


async def _object(request: Request) -> dict[str, Any]:
    """The JSON body, which a GET may have too."""
    body = await request.body()
    if not body:
        raise BadRequest("the request has no body; send a JSON object")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadRequest(f"the body is no JSON: {exc.msg} at character {exc.pos}") from None
    if not isinstance(found, dict):
        raise Invalid('the body is no JSON object; send one, such as {"data": ["ONE"]}')
    return found
