"""The messages between the Functions host and a worker, as real protobuf classes.

Microsoft's worker library is handed its protobuf module by the process around it, and no package publishes that module
for Python 3.13. So the part of `FunctionRpc.proto` that the library touches is declared here, with the names and
numbers of the original, and built at run time.
"""

from types import SimpleNamespace
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    timestamp_pb2,
)

# "*T" is repeated T, "{T" a map from string to T; a dot marks an enum; several fields of a oneof stand below.
MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "StreamingMessage": {
        "request_id": (1, "string"),
        "invocation_request": (4, "InvocationRequest"),
        "invocation_response": (5, "InvocationResponse"),
        "function_load_request": (8, "FunctionLoadRequest"),
        "function_load_response": (9, "FunctionLoadResponse"),
        "worker_init_response": (16, "WorkerInitResponse"),
        "worker_init_request": (17, "WorkerInitRequest"),
        "function_environment_reload_request": (25, "FunctionEnvironmentReloadRequest"),
        "function_environment_reload_response": (26, "FunctionEnvironmentReloadResponse"),
        "functions_metadata_request": (29, "FunctionsMetadataRequest"),
        "function_metadata_response": (30, "FunctionMetadataResponse"),
    },
    "WorkerInitRequest": {
        "host_version": (1, "string"),
        "capabilities": (2, "{string"),
        "worker_directory": (4, "string"),
        "function_app_directory": (5, "string"),
    },
    "WorkerInitResponse": {
        "worker_version": (1, "string"),
        "capabilities": (2, "{string"),
        "result": (3, "StatusResult"),
        "worker_metadata": (4, "WorkerMetadata"),
    },
    "WorkerMetadata": {
        "runtime_name": (1, "string"),
        "runtime_version": (2, "string"),
        "worker_version": (3, "string"),
        "worker_bitness": (4, "string"),
        "custom_properties": (5, "{string"),
    },
    "StatusResult": {
        "result": (1, "string"),
        "exception": (2, "RpcException"),
        "status": (4, "StatusResult.Status"),
    },
    "FunctionEnvironmentReloadRequest": {
        "environment_variables": (1, "{string"),
        "function_app_directory": (2, "string"),
    },
    "FunctionEnvironmentReloadResponse": {
        "worker_metadata": (1, "WorkerMetadata"),
        "capabilities": (2, "{string"),
        "result": (3, "StatusResult"),
    },
    "FunctionLoadRequest": {
        "function_id": (1, "string"),
        "metadata": (2, "RpcFunctionMetadata"),
        "managed_dependency_enabled": (3, "bool"),
    },
    "FunctionLoadResponse": {"function_id": (1, "string"), "result": (2, "StatusResult")},
    "RpcFunctionMetadata": {
        "directory": (1, "string"),
        "script_file": (2, "string"),
        "entry_point": (3, "string"),
        "name": (4, "string"),
        "bindings": (6, "{BindingInfo"),
        "is_proxy": (7, "bool"),
        "status": (8, "StatusResult"),
        "language": (9, "string"),
        "raw_bindings": (10, "*string"),
        "function_id": (13, "string"),
        "managed_dependency_enabled": (14, "bool"),
        "retry_options": (15, "RpcRetryOptions"),
        "properties": (16, "{string"),
    },
    "RpcRetryOptions": {"max_retry_count": (2, "int32")},
    "FunctionsMetadataRequest": {"function_app_directory": (1, "string")},
    "FunctionMetadataResponse": {
        "function_metadata_results": (1, "*RpcFunctionMetadata"),
        "result": (2, "StatusResult"),
        "use_default_metadata_indexing": (3, "bool"),
    },
    "InvocationRequest": {
        "invocation_id": (1, "string"),
        "function_id": (2, "string"),
        "input_data": (3, "*ParameterBinding"),
        "trigger_metadata": (4, "{TypedData"),
        "trace_context": (5, "RpcTraceContext"),
        "retry_context": (6, "RetryContext"),
    },
    "InvocationResponse": {
        "invocation_id": (1, "string"),
        "output_data": (2, "*ParameterBinding"),
        "result": (3, "StatusResult"),
        "return_value": (4, "TypedData"),
    },
    "RpcTraceContext": {"trace_parent": (1, "string"), "trace_state": (2, "string"), "attributes": (3, "{string")},
    "RetryContext": {
        "retry_count": (1, "int32"),
        "max_retry_count": (2, "int32"),
        "exception": (3, "RpcException"),
    },
    "TypedData": {
        "string": (1, "string"),
        "json": (2, "string"),
        "bytes": (3, "bytes"),
        "stream": (4, "bytes"),
        "http": (5, "RpcHttp"),
        "int": (6, "sint64"),
        "double": (7, "double"),
    },
    "ParameterBinding": {"name": (1, "string"), "data": (2, "TypedData")},
    "BindingInfo": {
        "type": (2, "string"),
        "direction": (3, "BindingInfo.Direction"),
        "data_type": (4, "BindingInfo.DataType"),
        "properties": (5, "{string"),
    },
    "RpcException": {"stack_trace": (1, "string"), "message": (2, "string"), "source": (3, "string")},
    "RpcHttp": {
        "method": (1, "string"),
        "url": (2, "string"),
        "headers": (3, "{string"),
        "body": (4, "TypedData"),
        "params": (10, "{string"),
        "status_code": (12, "string"),
        "query": (15, "{string"),
        "enable_content_negotiation": (16, "bool"),
        "cookies": (19, "*RpcHttpCookie"),
    },
    "RpcHttpCookie": {
        "name": (1, "string"),
        "value": (2, "string"),
        "domain": (3, "NullableString"),
        "path": (4, "NullableString"),
        "expires": (5, "NullableTimestamp"),
        "secure": (6, "NullableBool"),
        "http_only": (7, "NullableBool"),
        "same_site": (8, "RpcHttpCookie.SameSite"),
        "max_age": (9, "NullableDouble"),
    },
    "NullableString": {"value": (1, "string")},
    "NullableBool": {"value": (1, "bool")},
    "NullableDouble": {"value": (1, "double")},
    "NullableTimestamp": {"value": (1, "google.protobuf.Timestamp")},
}
ENUMS = {
    "StatusResult.Status": ("Failure", "Success", "Cancelled"),
    "BindingInfo.Direction": ("in", "out", "inout"),
    "BindingInfo.DataType": ("undefined", "string", "binary", "stream"),
    "RpcHttpCookie.SameSite": ("None", "Lax", "Strict", "ExplicitNone"),
}
ONEOFS = {
    "StreamingMessage": ("content", lambda field: field != "request_id"),
    "TypedData": ("data", lambda field: True),
    "ParameterBinding": ("rpc_data", lambda field: field == "data"),
    "NullableString": ("string", lambda field: True),
    "NullableBool": ("bool", lambda field: True),
    "NullableDouble": ("double", lambda field: True),
    "NullableTimestamp": ("timestamp", lambda field: True),
}

_PACKAGE = "AzureFunctionsRpcMessages"
_Field = descriptor_pb2.FieldDescriptorProto


def _set_type(field: Any, kind: str) -> None:
    if kind in MESSAGES:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    elif kind in ENUMS:
        field.type, field.type_name = _Field.TYPE_ENUM, f".{_PACKAGE}.{kind}"
    elif "." in kind:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{kind}"
    else:
        field.type = getattr(_Field, f"TYPE_{kind.upper()}")


def _declare(message: Any, name: str) -> None:
    for enum, values in ENUMS.items():
        owner, _, short = enum.partition(".")
        if owner == name:
            declared = message.enum_type.add(name=short)
            for number, value in enumerate(values):
                declared.value.add(name=value, number=number)
    oneof, is_member = ONEOFS.get(name, ("", lambda field: False))
    if oneof:
        message.oneof_decl.add(name=oneof)
    for field_name, (number, kind) in MESSAGES[name].items():
        field = message.field.add(name=field_name, number=number, label=_Field.LABEL_OPTIONAL)
        if kind.startswith("{"):
            # What protoc makes of map<string, T>: a nested message of key and value.
            entry = message.nested_type.add(name="".join(map(str.capitalize, field_name.split("_"))) + "Entry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
            _set_type(entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), kind[1:])
            field.label, field.type = _Field.LABEL_REPEATED, _Field.TYPE_MESSAGE
            field.type_name = f".{_PACKAGE}.{name}.{entry.name}"
        elif kind.startswith("*"):
            field.label = _Field.LABEL_REPEATED
            _set_type(field, kind[1:])
        else:
            _set_type(field, kind)
            if is_member(field_name):
                field.oneof_index = 0


def build() -> SimpleNamespace:
    """A namespace that stands for the worker's `protos` module: one class a message."""
    file = descriptor_pb2.FileDescriptorProto(name="FunctionRpc.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(timestamp_pb2.DESCRIPTOR.name)
    for name in MESSAGES:
        _declare(file.message_type.add(name=name), name)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    classes = {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in MESSAGES
    }
    timestamp = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.Timestamp"))
    return SimpleNamespace(**classes, Timestamp=timestamp)
