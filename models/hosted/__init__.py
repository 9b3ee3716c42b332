"""Models that are uploaded: ONNX, scikit-learn, LightGBM, XGBoost and more, each checked before it is accepted.

`POST /hosted/models/{tag}` uploads a version, `POST /hosted/models/{ref}/predict` asks one. `/api/v1` is the interface
of the server before this one, with its own shape of answers.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.hosted.declaration import plugin, router

__all__ = ["plugin", "router"]


# Every upload is checked in a process of its own, which imports this package and needs neither routes nor the web
# framework. So they come with the first use of these two (PEP 562), which takes a third off each check.
def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from models.hosted import declaration

    return getattr(declaration, name)
