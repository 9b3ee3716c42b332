"""Writes scikit-learn's histogram gradient boosting as an ONNX graph. Training only: serving needs no `onnx`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

_OPSET, _ML_OPSET, _IR = 17, 3, 8


def write_graph(regressors: "Sequence[HistGradientBoostingRegressor]", n_features: int) -> bytes:
    """One `TreeEnsembleRegressor` with a target for each of `regressors`: (n, n_features) float64 -> (n, n_targets)."""
    import onnx
    from onnx import TensorProto, helper

    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "nodes_treeids",
            "nodes_nodeids",
            "nodes_featureids",
            "nodes_modes",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "nodes_missing_value_tracks_true",
            "target_treeids",
            "target_nodeids",
            "target_ids",
        )
    }
    thresholds: list[float] = []
    weights: list[float] = []
    tree = 0
    for target, regressor in enumerate(regressors):
        # Private, and the only place where the trees are: the version is pinned, and a test compares predictions.
        for (predictor,) in regressor._predictors:
            for number, node in enumerate(predictor.nodes):
                columns["nodes_treeids"].append(tree)
                columns["nodes_nodeids"].append(number)
                is_leaf = bool(node["is_leaf"])
                columns["nodes_modes"].append("LEAF" if is_leaf else "BRANCH_LEQ")
                columns["nodes_featureids"].append(0 if is_leaf else int(node["feature_idx"]))
                columns["nodes_truenodeids"].append(0 if is_leaf else int(node["left"]))
                columns["nodes_falsenodeids"].append(0 if is_leaf else int(node["right"]))
                columns["nodes_missing_value_tracks_true"].append(0 if is_leaf else int(node["missing_go_to_left"]))
                thresholds.append(0.0 if is_leaf else float(node["num_threshold"]))
                if is_leaf:
                    columns["target_treeids"].append(tree)
                    columns["target_nodeids"].append(number)
                    columns["target_ids"].append(target)
                    weights.append(float(node["value"]))
            tree += 1
    base = [float(np.ravel(regressor._baseline_prediction)[0]) for regressor in regressors]

    def doubles(name: str, values: Sequence[float]) -> Any:
        return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)

    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["rows"],
        ["values"],
        domain="ai.onnx.ml",
        n_targets=len(regressors),
        aggregate_function="SUM",
        post_transform="NONE",
        nodes_values_as_tensor=doubles("thresholds", thresholds),
        target_weights_as_tensor=doubles("weights", weights),
        base_values_as_tensor=doubles("base", base),
        **columns,
    )
    graph = helper.make_graph(
        [node],
        "boosted",
        [helper.make_tensor_value_info("rows", TensorProto.DOUBLE, [None, n_features])],
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, [None, len(regressors)])],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="atoll")
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
