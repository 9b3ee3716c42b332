"""A plugin for these tests: routes that give back what arrived, or misbehave."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks, Request, Response

router = APIRouter()
_done: list[str] = []


@router.get("/request/{rest:path}")
async def show_request(request: Request, rest: str) -> dict[str, Any]:
    return {
        "rest": rest,
        "query": request.query_params.multi_items(),
        "headers": dict(request.headers),
        "client": request.client,
    }


@router.api_route("/bytes", methods=["POST", "PUT", "PATCH", "DELETE"])
async def give_back(request: Request) -> Response:
    return Response(await request.body(), media_type="application/octet-stream")


@router.api_route("/known", methods=["GET", "HEAD"])
async def known() -> Response:
    return Response(b"known", media_type="text/plain")


@router.get("/zeros/{size_bytes}")
async def zeros(size_bytes: int) -> Response:
    return Response(bytes(size_bytes), media_type="application/octet-stream")


@router.get("/failure")
async def fail() -> None:
    raise RuntimeError("a secret of the plugin")


@router.get("/headers")
async def repeated_headers() -> Response:
    response = Response()
    response.headers.append("Link", "</a>; rel=next")
    response.headers.append("Link", "</b>; rel=last")
    response.headers["X-Name"] = "né"
    response.set_cookie("one", "1", httponly=True)
    response.set_cookie("two", "2", samesite="strict")
    return response


@router.post("/later")
async def work_later(tasks: BackgroundTasks, word: str) -> list[str]:
    tasks.add_task(_done.append, word)
    return [*_done]


@router.get("/later")
async def worked() -> list[str]:
    return [*_done]
