"""The Open Inference Protocol over gRPC, beside the local host's HTTP (`GRPC_PORT`); never under Azure Functions.

Each call becomes the request of the same meaning under `/v2`, within this process: the same keys and tokens, scopes,
limits, request ids and metrics, and the same answers. `messages` turns one into the other, `service` answers, `server`
listens. Imported only where it is on.
"""
