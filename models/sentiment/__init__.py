"""Whether an English text is positive or negative.

`POST /sentiment/predict` answers from the version that the registry calls `default`, else from the model that is baked
into the image, else from the one in the box; `X-Model-Version` says which. `/project` is the old prefix.
"""

from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from common.http.framework_shape import framework_error
from common.plugins import Batching, Kept, OldPrefix, Plugin
from common.registry.observe import observed_as
from common.serving import answer_items
from models.sentiment import pull, space
from models.sentiment import train as training
from models.sentiment.chosen import serve_version, served_now
from models.sentiment.definitions import Answer, Health, Texts, check_sizes
from models.sentiment.predictor import BUDGET, Asked, cost, predict_batch, version

# JSON is taken whatever the Content-Type says: the old load script sends none.
router = APIRouter(prefix="/sentiment", tags=["Sentiment"], strict_content_type=False)

Explain = Annotated[bool, Query(description="Also by how much each word moves its text towards POSITIVE.")]


@router.post("/predict", response_model=Answer, response_model_exclude_none=True, summary="Sentiment of texts")
@router.post("/bulk-predict", response_model=Answer, response_model_exclude_none=True, include_in_schema=False)
async def predict(body: Texts, request: Request, explain: Explain = False) -> Response:
    """Both classes of each text, the likelier first; their scores add up to 1."""
    check_sizes(body.text, request.app.state.runtime.settings.serving)
    served = served_now()
    items = [Asked(text, body.truncated, explain, served) for text in body.text]
    with observed_as("sentiment", served.name):
        response = await answer_items(request, "sentiment", items, around=(b'{"predictions":[', b"]}"))
    if explain:
        response = _apart(response)
    response.headers["X-Model-Version"] = served.name
    return response


@router.get("/health", summary="It answers")
async def health() -> Health:
    return Health(status="healthy")


@router.get("/docs", include_in_schema=False)
async def docs() -> RedirectResponse:
    return RedirectResponse("/docs#/Sentiment")


def _apart(response: Response) -> Response:
    """Items with an explanation hold both; the answer has them side by side."""
    if response.status_code != 200:
        return response
    found = orjson.loads(response.body)["predictions"]
    both = {name: [item[name] for item in found] for name in ("predictions", "explanations")}
    headers = {"X-Cache": response.headers["x-cache"]}
    return Response(orjson.dumps(both), media_type="application/json", headers=headers)


def _load() -> None:
    served_now().classifier.classify(["ready"])


plugin = Plugin(
    title="Sentiment",
    load=_load,
    predict_batch=Batching(predict_batch, cost=cost, budget=BUDGET, max_items=128),
    cache=Kept(Asked.key, prefix="fastapi-cache-project"),
    row=Asked.row,
    version=version,
    prefixes=[OldPrefix("/project", framework_error)],
    examples={"love and hate": {"text": ["I love this", "I hate this"]}},
    train=training.train,
    train_request=training.SentimentTraining,
    check_train=training.check_train,
    space=space,
    pull_model=pull.pull,
    serve_version=serve_version,
    worker="train",
    panels=("type.js", "batch.js", "reading.js", "sending.js", "results.js"),
)
