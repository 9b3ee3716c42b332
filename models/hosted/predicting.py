"""From a request to what a hosted model answers: which version, what it is given, and what came of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import orjson
from anyio import to_thread
from starlette.requests import Request

from common.errors import BadRequest, Invalid, NotFound, UnsupportedMediaType
from common.registry.choose import ALIAS_HEADER, VERSION_HEADER, Chosen, Which
from common.registry.observe import Shadows, agree, observed
from common.registry.versions import Version
from common.serving.asked import asked_by
from common.serving.items import Asked
from common.serving.tensors import Array, TensorModel
from models.hosted import lookup
from models.hosted.definitions import Reference
from models.hosted.forms import FormReader, is_form
from models.hosted.images import MEDIA_TYPES, Pixels, to_tensor
from models.hosted.uploading import runtime_of
from models.hosted.uploads import FIELD
from models.hosted.values import to_tensors, to_values
from models.hosted.wiring import hosted

if TYPE_CHECKING:
    from models.hosted.serving import HostedModels

# Tasks belong to their event loop.
_shadows: "WeakKeyDictionary[asyncio.AbstractEventLoop, Shadows]" = WeakKeyDictionary()

_SEND = 'send {"values": [...]} as JSON, or a PNG or JPEG image'


@dataclass(frozen=True)
class Answered:
    """What a version made of a request.

    Parameters
    ----------
    outputs : JSON, by name, in the order of the model's.
    """

    tag: str
    version: int
    alias: str | None
    outputs: Mapping[str, bytes]

    @property
    def values(self) -> bytes:
        """The first output, as JSON."""
        return next(iter(self.outputs.values()), b"[]")

    @property
    def headers(self) -> dict[str, str]:
        told = {VERSION_HEADER: str(self.version)}
        return told if self.alias is None else told | {ALIAS_HEADER: self.alias}


async def predicted(request: Request, reference: Reference, which: Which, pixels: Pixels) -> Answered:
    """Ask the version that a request names, or that the shares of the tag's aliases give it.

    Raises
    ------
    NotFound, Invalid, BadRequest, UnsupportedMediaType, TooLarge
        The detail says what to send.
    Busy, Unavailable
    """
    # First: what cannot be answered by any version needs none.
    given = await _given(request)
    runtime = runtime_of(request)
    registry = runtime.opened_registry
    if registry is None:
        registry = await to_thread.run_sync(lambda: runtime.registry)
    key = str(request.scope.get("state", {}).get("request_id", "")) or None
    chosen = registry.choose_known(reference.model, which, key)
    try:
        if chosen is None:
            chosen = await to_thread.run_sync(registry.choose, reference.model, which, key)
    except NotFound:
        # The same in words that know of tags; and what is there after all was not a moment ago.
        await to_thread.run_sync(lookup.find, registry, Reference(reference.tag, which))
        raise
    models = hosted.of(runtime)
    model = await models.open_chosen(chosen)
    if isinstance(given, bytes):
        feeds = await to_thread.run_sync(_image, given, model, pixels, runtime.settings.hosting.max_image_pixels)
    else:
        feeds = to_tensors(given["values"], model.inputs)
    version = chosen.version
    if model.number != version.number:
        # The one before, which answers while this one is opened.
        version = version.model_copy(update={"number": model.number})
    with observed(version):
        found = await model.infer(feeds, asked_by(request))
    runtime.sampler.offer(version.model, version.number, feeds, found)
    _show_shadow(models, chosen, feeds, found)
    outputs = {spec.name: to_values(found[spec.name]) for spec in model.outputs if spec.name in found}
    return Answered(reference.tag, model.number, chosen.alias, outputs)


def _show_shadow(
    models: "HostedModels", chosen: Chosen, feeds: Mapping[str, Array], found: Mapping[str, Array]
) -> None:
    if chosen.shadow is None:
        return

    async def ask(version: Version) -> Mapping[str, Array]:
        return await (await models.open(version)).infer(feeds, Asked())

    shadows = _shadows.setdefault(asyncio.get_running_loop(), Shadows())
    shadows.show(chosen, found, ask, agree)


def _image(data: bytes, model: TensorModel, pixels: Pixels, max_pixels: int) -> Mapping[str, Array]:
    if len(model.inputs) != 1:
        raise Invalid(f"the model has {len(model.inputs)} inputs, which one image is not; {_SEND}")
    spec = model.inputs[0]
    return {spec.name: to_tensor(data, spec, pixels, max_pixels)}


async def _given(request: Request) -> dict[str, Any] | bytes:
    """`{"values": …}`, or the bytes of an image."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_form(request):
        return await _from_form(request)
    if media_type in MEDIA_TYPES:
        return await request.body()
    if media_type and media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(f"the body is {media_type[:80]!r}; {_SEND}")
    body = await request.body()
    if not body:
        raise BadRequest(f"the request has no body; {_SEND}")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadRequest(f"the body is no JSON: {exc.msg} at character {exc.pos}") from None
    if not isinstance(document, dict) or "values" not in document:
        raise Invalid.field("values", f"is missing; {_SEND}", document)
    unknown = sorted(document.keys() - {"values"})
    if unknown:
        raise Invalid.field(str(unknown[0])[:80], "is no field of a prediction; send `values` alone")
    return document


async def _from_form(request: Request) -> bytes:
    image = bytearray()

    async def take(piece: bytes) -> None:
        image.extend(piece)

    form = FormReader(request, [FIELD, "file"], take)
    await form.read()
    if form.media_type and form.media_type not in (*MEDIA_TYPES, "application/octet-stream"):
        raise UnsupportedMediaType(f"the file is {form.media_type[:80]!r}; {_SEND}")
    return bytes(image)
