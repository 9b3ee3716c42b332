"""`/`: what this is, and where to go."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from common.version import VERSION

router = APIRouter(tags=["Atoll"])


class Index(BaseModel):
    """What is served here."""

    name: str
    version: str
    links: dict[str, str] = Field(description="Paths by name.")


# Of the answer, so that no cache gives a browser's to a program.
_BY_ACCEPT = {"Vary": "Accept"}


@router.get(
    "/",
    summary="Name, version and links",
    response_model=Index,
    responses={303: {"description": "To the console, for browsers: `Accept` names `text/html`."}},
)
async def index(request: Request, response: Response) -> Index | RedirectResponse:
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/console", status_code=303, headers=_BY_ACCEPT)
    response.headers.update(_BY_ACCEPT)
    return Index(
        name="Atoll",
        version=VERSION,
        links={
            "console": "/console",
            "docs": "/docs",
            "openapi": "/openapi.json",
            "models": "/models",
            "params": "/params",
            "datasets": "/datasets",
            "live": "/health/live",
            "ready": "/health/ready",
            "metrics": "/metrics",
        },
    )
