"""`/`: what this is, and where to go."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from common.version import VERSION

router = APIRouter(tags=["Atoll"])


class Index(BaseModel):
    """What is served here."""

    name: str
    version: str
    links: dict[str, str] = Field(description="Paths by name.")


@router.get("/", summary="Name, version and links")
async def index() -> Index:
    return Index(
        name="Atoll",
        version=VERSION,
        links={
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
