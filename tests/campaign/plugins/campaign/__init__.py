"""The campaign's plugin: the jobs of `tests.campaign.work`, and the hooks that kill a process at a commit."""

import asyncio
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import Response

from common.plugins import Plugin
from tests.campaign import commits, work
from tests.campaign.ledger import note

router = APIRouter(prefix="/campaign", tags=["Campaign"])
commits.install()


@router.post("/predict")
async def predict(body: work.Ask) -> Response:
    run = uuid4().hex
    note("begin", body.token, run)
    try:
        await asyncio.sleep(body.seconds)
    finally:
        note("end", body.token, run)
    return Response(work.answer(body.token, body.size_bytes), media_type="text/plain")


plugin = Plugin(title="Campaign", train=work.train, train_request=work.TrainAsk, space=work)
