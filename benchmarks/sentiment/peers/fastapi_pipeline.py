"""transformers' pipeline behind FastAPI with fastapi-cache2 in Redis: how such a service is usually written.

`python -m benchmarks.sentiment.peers.fastapi_pipeline PORT FOLDER REDIS_URL`
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi_cache import FastAPICache
from fastapi_cache.backends.redis import RedisBackend
from fastapi_cache.decorator import cache
from pydantic import BaseModel
from redis import asyncio as redis
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

_PORT, _FOLDER, _REDIS = int(sys.argv[1]), sys.argv[2], sys.argv[3]

classifier = pipeline(
    task="text-classification",
    model=AutoModelForSequenceClassification.from_pretrained(_FOLDER),
    tokenizer=AutoTokenizer.from_pretrained(_FOLDER),
    device=-1,
    top_k=None,
)


class Texts(BaseModel):
    text: list[str]


class Answer(BaseModel):
    predictions: list[list[dict[str, Any]]]


class Health(BaseModel):
    status: str


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    FastAPICache.init(RedisBackend(redis.from_url(_REDIS)), prefix="fastapi-cache-project")
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/project/bulk-predict")
@cache(expire=3600)
async def predict(body: Texts) -> Answer:
    return Answer(predictions=classifier(body.text))


@app.get("/health/live")
async def health() -> Health:
    return Health(status="healthy")


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=_PORT, loop="uvloop", http="httptools", access_log=False)
