"""The models that take tensors, by name: those that plugins declare, and one for each plugin's `POST …/predict`."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.errors import AtollError, Forbidden, ModelUnavailable, NotFound
from common.plugins.record import PluginRecord
from common.security.principal import Principal
from common.serving.oip.derived import PredictModel
from common.serving.tensors import TensorModel, TensorModels, TensorSpec

if TYPE_CHECKING:
    from common.serving.oip.writing import Form

# Models of plugins' `/predict` by name, and plugins that name models themselves.
_Known = tuple[dict[str, PredictModel], list[tuple[PluginRecord, TensorModels]]]
# More of them are no models any more.
_MOST_FORMS = 4096


@dataclass(frozen=True, slots=True)
class Served:
    """A model that may answer, and what stands in each of its answers."""

    form: "Form"
    model: TensorModel | PredictModel


@dataclass(frozen=True, slots=True)
class Listed:
    """A model as lists name it. state: READY or UNAVAILABLE, with the reason."""

    name: str
    version: str
    state: str
    reason: str


class ModelDirectory:
    """The models of a process. A plugin's name goes before a name that another plugin gives to one of its models.

    Parameters
    ----------
    rows_at_once : of models whose items go in no common batches.
    """

    def __init__(self, records: Sequence[PluginRecord], rows_at_once: int) -> None:
        self._records = records
        self._rows_at_once = rows_at_once
        self._found: _Known | None = None
        self._forms: dict[tuple[str, str], tuple[Sequence[TensorSpec], Form]] = {}

    def known(self, name: str, principal: Principal) -> Served | None:
        """The version that serves, where nothing has to be waited for. Raises Forbidden."""
        derived, sources = self._for(name, principal)
        predict = derived.get(name)
        if predict is not None:
            return Served(self._form(predict, name), predict)
        for _, models in sources:
            model = models.known(name)
            if model is not None:
                return Served(self._form(model, name), model)
        return None

    async def find(self, name: str, principal: Principal, version: str | None = None) -> Served:
        """The model at a version (a number or an alias), or at the one that serves.

        Raises
        ------
        NotFound
        Forbidden
            The caller's key is for other models. What a plugin names its models is for who may use the plugin.
        ModelUnavailable, Unavailable
        """
        derived, sources = self._for(name, principal)
        predict = derived.get(name)
        if predict is not None:
            return Served(self._form(predict, name), predict)
        for record, models in sources:
            await record.require_ready()
            try:
                model = await models.find(name, version)
            except NotFound:
                # Of one that it knows, it says which versions there are.
                if name in await models.names():
                    raise
            else:
                return Served(self._form(model, name), model)
        raise self._unknown(name)

    async def versions(self, name: str, principal: Principal) -> Sequence[str]:
        """Those that can be asked for. Raises NotFound, Forbidden."""
        derived, sources = self._for(name, principal)
        if name in derived:
            return ()
        for record, models in sources:
            await record.require_ready()
            with contextlib.suppress(NotFound):
                return await models.versions(name)
        raise self._unknown(name)

    async def check_ready(self, name: str, principal: Principal, version: str | None = None) -> None:
        """Return where the model may be asked, without loading it.

        Raises
        ------
        NotFound, Forbidden
        ModelUnavailable
            Not yet, or not any more; the detail says why.
        """
        derived, _ = self._for(name, principal)
        predict = derived.get(name)
        if predict is None:
            versions = await self.versions(name, principal)
            # An alias is known to `find` alone.
            if version is not None and version not in versions:
                await self.find(name, principal, version)
            return
        if version is not None:
            predict.check_version(version)
        if not predict.record.is_ready():
            record = predict.record
            record.begin_load()
            raise ModelUnavailable(f"{name} is {record.state}: {record.reason or 'its data are read'}", retry_after_s=5)

    async def listed(self, principal: Principal) -> list[Listed]:
        """All models that the caller may use, by name."""
        derived, sources = self._all()
        found = {
            name: Listed(name, "", "READY" if predict.record.is_ready() else "UNAVAILABLE", predict.record.reason or "")
            for name, predict in derived.items()
            if principal.may_use(name)
        }
        for record, models in sources:
            if not principal.may_use(record.name):
                continue
            try:
                await record.require_ready()
                names = await models.names()
            except AtollError:
                # The others are there.
                continue
            for name in names:
                if name not in derived and name not in found:
                    model = models.known(name)
                    found[name] = Listed(name, model.version if model else "", "READY", "")
        return [found[name] for name in sorted(found)]

    def _for(self, name: str, principal: Principal) -> _Known:
        """What the caller may use to find a model of this name. Raises Forbidden where that is nothing."""
        known = self._all()
        if principal.models is None:
            return known
        derived, sources = known
        allowed = [] if name in derived else [source for source in sources if principal.may_use(source[0].name)]
        if not allowed and not (name in derived and principal.may_use(name)):
            can = ", ".join(sorted(principal.models)[:20]) or "none"
            raise Forbidden(f"the key is not for the model {name[:80]!r}; its models: {can}")
        return derived, allowed

    def _unknown(self, name: str) -> NotFound:
        return NotFound(f"there is no model {name[:80]!r} here; GET /v2/models lists those that there are")

    def _all(self) -> _Known:
        """Made when first asked for: by then it is known which plugins could be mounted."""
        if self._found is None:
            derived: dict[str, PredictModel] = {}
            sources = []
            for record in self._records:
                if record.plugin.tensors is not None:
                    sources.append((record, record.plugin.tensors))
                elif (predict := PredictModel.of(record, self._rows_at_once)) is not None:
                    derived[record.name] = predict
            self._found = derived, sources
        return self._found

    def _form(self, model: TensorModel | PredictModel, name: str) -> "Form":
        from common.serving.oip.writing import Form

        key = name, model.version
        known = self._forms.get(key)
        # A name may be given anew; the model itself is not kept, its memory may be needed.
        if known is not None and known[0] is model.outputs:
            return known[1]
        if len(self._forms) >= _MOST_FORMS:
            self._forms.clear()
        form = Form(model.outputs, name, model.version)
        self._forms[key] = model.outputs, form
        return form


def metadata(served: Served, name: str, versions: Sequence[str]) -> Mapping[str, object]:
    """What `GET /v2/models/{model}` answers."""
    told = served.model
    optional = told.optional if isinstance(told, PredictModel) else frozenset()
    listed: dict[str, object] = {"name": name}
    if versions:
        listed["versions"] = list(versions)
    inputs = [
        _told(spec) | ({"parameters": {"optional": True}} if spec.name in optional else {}) for spec in told.inputs
    ]
    return listed | {"platform": told.platform, "inputs": inputs, "outputs": [_told(spec) for spec in told.outputs]}


def _told(spec: TensorSpec) -> dict[str, object]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}
