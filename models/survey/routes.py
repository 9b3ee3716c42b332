"""The route of survey, under its own name and under the one that every model has."""

import hashlib
from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response

from common.plugins import code_version
from common.serving import answer
from models.survey.definitions import SurveyRequest, SurveyResponse
from models.survey.table import check_size

# Not /survey: under that prefix old clients expect errors in their old shape.
router = APIRouter(prefix="/survey_analysis", tags=["Survey Analysis"])


@router.post("/clustering", response_model=SurveyResponse, summary="Groups of rows that answer alike")
@router.post("/predict", response_model=SurveyResponse, summary="The same as clustering")
async def clustering(body: SurveyRequest, request: Request) -> Response:
    """K-modes, k-means or k-prototypes, after what the questions of the factor are; their number is chosen."""
    # Its imports are not needed by a process that only refuses.
    from models.survey import service

    check_size(body.data, "data")
    check_size(body.metadata, "metadata")
    # Of the bytes: to write the survey anew would take longer than to read it.
    asked = hashlib.sha256(await request.body()).hexdigest()
    return await answer(
        request, (code_version("models.survey", "models._clustering"), asked), partial(service.cluster, body)
    )
