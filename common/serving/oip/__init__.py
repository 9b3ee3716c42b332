"""The Open Inference Protocol, version 2: every model of this process by named tensors, under `/v2`.

`datatypes`, `reading` and `writing` know the protocol's bytes, `directory` knows the models, `derived` makes tensors of
a plugin's typed `/predict`, `routes` and `infer` answer. `docs/inference-protocol.md` describes it for callers.
"""
