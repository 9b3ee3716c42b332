"""Versions of imputation: the choices that a training published, and how a prediction asks with them."""

from typing import TYPE_CHECKING

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from common.errors import Invalid
from common.plugins import BaseDefinition
from common.registry.versions import split_name
from models._indicators import IndicatorSet
from models.imputation.definitions import PredictRequest
from models.imputation.spec import Interpolator, Model, Scheme, Spec

if TYPE_CHECKING:
    from common.registry.service import Registry

MODEL = "imputation"
# The artefact.
SPEC = "spec.json"


class Trained(BaseDefinition):
    """What was found best for a target and year. Indicators by code, so that it outlives a change of the data."""

    target: str
    target_year: str
    interpolator: Interpolator
    scheme: Scheme
    number_predictor: int
    estimators: int
    model: Model

    @classmethod
    def of(cls, data: IndicatorSet, spec: Spec) -> "Trained":
        assert spec.number_predictor is not None  # noqa: S101  # the space has no scheme without
        return cls(
            target=data.indicators[spec.target],
            target_year=str(spec.year),
            interpolator=spec.interpolator,
            scheme=spec.scheme,
            number_predictor=spec.number_predictor,
            estimators=spec.estimators,
            model=spec.model,
        )

    def ask(self, body: PredictRequest, version: str) -> PredictRequest:
        """The request with the published choices in place of its own; interval and history are the request's.

        Raises
        ------
        Invalid
            The version is for another target or year.
        """
        if (self.target, self.target_year) != (body.target, str(body.target_year)):
            raise Invalid.field(
                "version",
                f"was trained for {self.target} in {self.target_year}, not for {body.target} in {body.target_year}; "
                "POST train makes one",
                version,
                where="query",
            )
        chosen = self.model_dump(exclude={"target", "target_year"})
        return PredictRequest.model_validate({**body.model_dump(), **chosen, "manual_predictors": None}, by_name=True)


async def asked_of(request: Request, body: PredictRequest, version: str) -> tuple[PredictRequest, int]:
    """The request as a version asks it, and the version's number.

    Parameters
    ----------
    version : number or alias.

    Raises
    ------
    NotFound
        There is no such version.
    Invalid
        It is no number and no alias, or the version is for another target or year.
    """
    try:
        split_name(f"{MODEL}:{version}")
    except Invalid as exc:
        raise Invalid.field("version", exc.detail, version, where="query") from None
    runtime = request.app.state.runtime

    def read() -> tuple[Trained, int]:
        # On a thread: the first one to ask opens the database.
        registry: Registry = runtime.registry
        found = registry.resolve(f"{MODEL}:{version}")
        return Trained.model_validate_json(registry.blobs.read(found.artefact(SPEC).ref)), found.number

    trained, number = await run_in_threadpool(read)
    return trained.ask(body, version), number
