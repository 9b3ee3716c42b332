"""FastAPI and nothing else, under the uvicorn that Atoll uses: the least that typed HTTP in Python costs."""

import sys

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.serving import work


class Number(BaseModel):
    value: float


class Features(BaseModel):
    features: tuple[float, float, float, float]


class Sum(BaseModel):
    result: float


class Label(BaseModel):
    label: int


app = FastAPI()


@app.post("/add_one")
async def add_one(body: Number) -> Sum:
    return Sum(result=work.add_one([body.value])[0])


@app.post("/iris")
async def iris(body: Features) -> Label:
    return Label(label=work.iris()([body.features])[0])


@app.post("/forest")
async def forest(body: Features) -> Label:
    return Label(label=work.forest()([body.features])[0])


if __name__ == "__main__":
    import uvicorn

    access_log = "--access-log" in sys.argv
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=access_log)
