"""The parameters of a Python function, as a JSON schema and as a type that converts arguments."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec

from gemma_chat.errors import ToolError

MAX_TYPE_DEPTH: Final = 8
"""How many types of a program may be nested in one another."""

_ORDINARY: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Parameters:
    """`convert` gives the keyword arguments for what a model wrote, or raises `ToolError`."""

    schema: str
    convert: Callable[[str], dict[str, Any]]


def parameters_of(
    function: Callable[..., object], name: str, descriptions: dict[str, str]
) -> Parameters:
    """The parameters of `function`, called `name`, described by `descriptions` where they are.

    An annotation may carry a description: `Annotated[int, "in metres"]`, or a `msgspec.Meta`. It
    comes before that of the docstring.

    Raises:
        ToolError: The signature cannot be told to a model: a parameter has no annotation, one that
            JSON cannot say, or is one of `*args`, `**kwargs`, or positional only.
    """
    fields = [
        (one.name, _annotation(annotation, descriptions.get(one.name, "")), one.default)
        for one, annotation in _signature(function, name)
    ]
    try:
        struct = msgspec.defstruct(
            "Arguments",
            [_field(*field) for field in fields],
            kw_only=True,
            forbid_unknown_fields=True,
        )
        schema = _plain_schema(struct, name)
        decoder = msgspec.json.Decoder(struct, strict=False)
    except (TypeError, ValueError, RuntimeError, RecursionError) as error:
        raise ToolError(
            f"The tool {name} cannot be used: a model cannot be told the types of its parameters "
            f"({str(error).splitlines()[-1]}). Use text, numbers, bool, list, dict, Literal, "
            "Optional, dataclasses or msgspec structs."
        ) from error
    for field, _, default in fields:
        _tell_default(schema["properties"][field], default)
    return Parameters(msgspec.json.encode(schema).decode(), _converter(decoder, name))


def _signature(function: Callable[..., object], name: str) -> list[tuple[inspect.Parameter, Any]]:
    """The parameters with their annotations; raises `ToolError`."""
    try:
        signature = inspect.signature(function)
        hints = typing.get_type_hints(_annotated_object(function), include_extras=True)
    except (TypeError, ValueError, NameError, AttributeError, SyntaxError) as error:
        raise ToolError(
            f"The tool {name} cannot be used: its signature cannot be read ({error}). "
            "Annotate its parameters with types that are known where it is defined."
        ) from error
    for one in signature.parameters.values():
        if one.kind not in _ORDINARY:
            raise ToolError(
                f"The tool {name} cannot be used: its parameter {_written(one)} has no name a "
                "model could give. Use ordinary parameters with annotations."
            )
        if one.name not in hints:
            raise ToolError(
                f"The tool {name} cannot be used: its parameter {one.name} has no type. "
                f"Annotate it, for example {one.name}: str."
            )
    return [(one, hints[one.name]) for one in signature.parameters.values()]


def _annotated_object(function: Callable[..., object]) -> Any:
    """Where the annotations stand: those of an object that can be called stand at its class."""
    inner: Any = inspect.unwrap(function)
    while hasattr(inner, "func") and not inspect.isroutine(inner):
        inner = inner.func
    return inner if inspect.isroutine(inner) else type(inner).__call__


def _written(parameter: inspect.Parameter) -> str:
    match parameter.kind:
        case inspect.Parameter.VAR_POSITIONAL:
            return f"*{parameter.name}"
        case inspect.Parameter.VAR_KEYWORD:
            return f"**{parameter.name}"
        case _:
            return f"{parameter.name}, before the /,"


def _annotation(annotation: Any, description: str) -> Any:
    """`annotation` as msgspec reads it: plain text beside a type is its description."""
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        texts = [one for one in extras if isinstance(one, str)]
        metas = [one for one in extras if isinstance(one, msgspec.Meta)]
        description = next((one.description for one in metas if one.description), "") or (
            texts[0] if texts else description
        )
        for meta in metas:
            inner = Annotated[inner, meta]
        annotation = inner
    if description:
        annotation = Annotated[annotation, msgspec.Meta(description=description)]
    return annotation


def _field(name: str, annotation: Any, default: object) -> tuple[str, Any] | tuple[str, Any, Any]:
    if default is inspect.Parameter.empty:
        return name, annotation
    # What the model leaves out is left to the function, whose default may be anything.
    return name, annotation | msgspec.UnsetType, msgspec.UNSET


def _tell_default(schema: dict[str, Any], default: object) -> None:
    if default is inspect.Parameter.empty:
        return
    try:
        schema["default"] = msgspec.json.decode(msgspec.json.encode(default))
    except (TypeError, ValueError, RecursionError):
        return


def _converter(decoder: Any, name: str) -> Callable[[str], dict[str, Any]]:
    def convert(arguments: str) -> dict[str, Any]:
        try:
            given = decoder.decode(arguments or "{}")
        except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
            raise ToolError(f"The arguments of {name} do not fit: {error}.") from None
        values = {field: getattr(given, field) for field in given.__struct_fields__}
        return {field: value for field, value in values.items() if value is not msgspec.UNSET}

    return convert


def _plain_schema(struct: type, name: str) -> dict[str, Any]:
    """The schema of `struct` in one piece: neither templates nor models follow references."""
    (reference,), definitions = msgspec.json.schema_components([struct], ref_template="{name}")
    schema: dict[str, Any] = _resolved(reference, definitions, name, 0)
    schema.pop("title", None)
    schema.pop("description", None)
    schema["required"] = schema.get("required", [])
    schema.setdefault("properties", {})
    return schema


def _resolved(schema: Any, definitions: dict[str, Any], name: str, depth: int) -> Any:
    if depth > MAX_TYPE_DEPTH:
        raise ToolError(
            f"The tool {name} cannot be used: the types of its parameters are nested more than "
            f"{MAX_TYPE_DEPTH} levels deep, or in themselves. Use flatter ones."
        )
    if isinstance(schema, list):
        return [_resolved(one, definitions, name, depth) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _resolved({**definitions[schema["$ref"]], **beside}, definitions, name, depth + 1)
    return {key: _resolved(value, definitions, name, depth) for key, value in schema.items()}
