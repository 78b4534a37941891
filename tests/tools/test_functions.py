"""Python functions as tools: what a model is told, and how its arguments reach the function."""

from __future__ import annotations

import asyncio
import enum
import functools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.errors import ToolError
from gemma_chat.tools.functions import as_tool, function_tool
from gemma_chat.tools.tool import (
    MAX_ARGUMENT_CHARACTERS,
    MAX_DESCRIPTION_CHARACTERS,
    bounded,
    spec_of,
)


@dataclass
class Place:
    """Where something is."""

    latitude: float
    longitude: float = 0.0


class Person(msgspec.Struct):
    name: str
    home: Place | None = None


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Options(TypedDict):
    quick: bool


class Node(msgspec.Struct):
    inner: Node | None = None


def weather(city: str, unit: Literal["C", "F"] = "C", days: int = 1) -> str:
    """Tell the weather.

    It is only right on average.

    Args:
        city: Name of the city,
            in English.
        unit (str): Scale of the thermometer.

    Returns:
        A sentence.
    """
    return f"{city} {unit} {days}"


def schema_of(function: Callable[..., object]) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(function_tool(function).spec.parameters)
    return schema


def test_a_function_is_told_by_its_signature_and_its_docstring() -> None:
    spec = function_tool(weather).spec
    assert spec.name == "weather"
    assert spec.description == "Tell the weather.\n\nIt is only right on average."
    assert json.loads(spec.parameters) == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Name of the city, in English."},
            "unit": {
                "enum": ["C", "F"],
                "description": "Scale of the thermometer.",
                "default": "C",
            },
            "days": {"type": "integer", "default": 1},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def sphinx(a: int, b: int) -> int:
    """Add.

    :param a: The first
        number.
    :param int b: The second.
    :returns: Their sum.
    """
    return a + b


def numpy(a: int, b: int) -> int:
    """Add.

    Parameters
    ----------
    a : int
        The first
        number.
    b
        The second.

    Returns
    -------
    int
        Their sum.
    """
    return a + b


@pytest.mark.parametrize("function", [sphinx, numpy])
def test_parameters_are_described_in_the_other_two_ways_of_writing(
    function: Callable[..., object],
) -> None:
    spec = function_tool(function).spec
    assert spec.description == "Add."
    properties = json.loads(spec.parameters)["properties"]
    assert properties["a"]["description"] == "The first number."
    assert properties["b"]["description"] == "The second."


def test_an_annotation_describes_its_parameter_before_the_docstring_does() -> None:
    def jump(
        height: Annotated[float, "in metres"],
        times: Annotated[int, msgspec.Meta(ge=1, le=9, description="how often")],
    ) -> None:
        """Jump.

        Args:
            height: something else
        """

    properties = schema_of(jump)["properties"]
    assert properties["height"] == {"type": "number", "description": "in metres"}
    assert properties["times"]["description"] == "how often"
    assert (properties["times"]["minimum"], properties["times"]["maximum"]) == (1, 9)


def test_a_schema_is_in_one_piece_without_references() -> None:
    def invite(who: list[Person], by: dict[str, Place], how: Options, dress: Colour) -> None: ...

    schema = function_tool(invite).spec.parameters
    assert "$ref" not in schema
    who = json.loads(schema)["properties"]["who"]["items"]
    assert who["properties"]["name"] == {"type": "string"}


async def test_arguments_are_converted_to_the_types_of_the_function() -> None:
    seen: list[object] = []

    def invite(who: Person, dress: Colour, at: tuple[int, int], seats: int | None = None) -> None:
        seen.extend((who, dress, at, seats))

    await function_tool(invite).run(
        '{"who": {"name": "Ada", "home": {"latitude": "1.5"}}, "dress": "red", "at": [1, 2]}'
    )
    assert seen == [Person("Ada", Place(1.5)), Colour.RED, (1, 2), None]


async def test_what_the_model_leaves_out_keeps_the_default_of_the_function() -> None:
    anything = object()

    def same(one: tuple[int, ...] = (1,), *, other: Any = anything) -> bool:
        return one == (1,) and other is anything

    assert await function_tool(same).run("") == "true"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("{}", "missing required field `city`"),
        ('{"city": 3}', "Expected `str`, got `int`"),
        ('{"city": "x", "unit": "K"}', "Invalid enum value 'K'"),
        ('{"city": "x", "wind": 1}', "unknown field `wind`"),
        ('{"city": "x"', "Input data was truncated"),
        ("[]", "Expected `object`, got `array`"),
        ('{"city": "\ud800"}', "surrogates not allowed"),
        ("[" * 50_000, "do not fit"),
        ('{"city": "' + "x" * MAX_ARGUMENT_CHARACTERS + '"}', "Say it shorter"),
    ],
)
async def test_wrong_arguments_are_a_sentence_for_the_model(arguments: str, complaint: str) -> None:
    with pytest.raises(ToolError, match="arguments of weather") as raised:
        await function_tool(weather).run(arguments)
    assert complaint in str(raised.value)


@given(st.text())
def test_any_text_as_arguments_is_converted_or_refused(arguments: str) -> None:
    with pytest.raises(ToolError):
        asyncio.run(function_tool(weather).run("x" + arguments))


async def test_an_ordinary_function_runs_in_a_thread_and_an_asynchronous_one_on_the_loop() -> None:
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    async def where_else() -> bool:
        return where()

    class Tester:
        """Looks where it runs."""

        async def __call__(self) -> bool:
            return where()

    assert await function_tool(where).run("{}") == "false"
    assert await function_tool(where_else).run("{}") == "true"
    assert await function_tool(Tester()).run("{}") == "true"
    part = functools.partial(weather, unit="F")
    assert await function_tool(part, name="part").run('{"city": "x"}') == "x F 1"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("as it is", "as it is"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (Place(1.0, 2.0), '{"latitude":1.0,"longitude":2.0}'),
        (2 + 1j, '"(2+1j)"'),
        (None, "null"),
    ],
)
async def test_a_result_is_text_or_json(result: object, text: str) -> None:
    async def give() -> object:
        return result

    assert await function_tool(give).run("{}") == text


@pytest.mark.parametrize(
    "error", [ValueError("no such city"), StopIteration("no such city"), SystemExit("no such city")]
)
async def test_what_a_function_raises_is_a_sentence(error: BaseException) -> None:
    def give() -> None:
        raise error

    with pytest.raises(ToolError, match=r"give failed: .*no such city"):
        await function_tool(give).run("{}")


async def test_a_call_that_is_given_up_does_not_wait_for_its_thread() -> None:
    release = threading.Event()

    def forever() -> None:
        release.wait()

    task = asyncio.ensure_future(function_tool(forever).run("{}"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()


def _many(*args: int) -> None: ...


def _named(**more: int) -> None: ...


def _in_front(a: int, /) -> None: ...


def _untellable(a: Callable[[], int]) -> None: ...


def _compiled(code: str) -> Callable[..., object]:
    """A function that a checker would not let through."""
    names: dict[str, Any] = {}
    exec(code, names)
    function: Callable[..., object] = names["function"]
    return function


def _nested(a: Node) -> None: ...


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (_compiled("def function(a): ..."), "its parameter a has no type. Annotate it"),
        (_many, r"its parameter \*args has no name"),
        (_named, r"its parameter \*\*more has no name"),
        (_in_front, "its parameter a, before the /, has no name"),
        (
            _compiled("def function(a: 'Missing'): ..."),
            "its signature cannot be read",
        ),
        (_untellable, "a model cannot be told the types"),
        (_nested, "nested more than 8 levels deep, or in themselves"),
        (lambda: 1, "A lambda cannot be a tool"),
        ("weather", "must be a function or a Tool, not str"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused_with_a_sentence(
    function: Any, complaint: str
) -> None:
    with pytest.raises(ToolError, match=complaint):
        function_tool(function)


def test_tools_and_functions_are_given_side_by_side() -> None:
    tools = [as_tool(one) for one in (weather, function_tool(weather, name="forecast"))]
    assert [tool.name for tool in tools] == ["weather", "forecast"]


def test_a_description_is_bounded_and_shows_its_control_characters() -> None:
    spec = spec_of("x", "\x1b[2J" + "y" * 10_000, "{}")
    assert spec.description.startswith("\\x1b[2Jyyy")
    assert len(spec.description) == MAX_DESCRIPTION_CHARACTERS


def test_a_long_text_is_cut_and_says_so() -> None:
    assert bounded("short", 100) == "short"
    cut = bounded("x" * 1000, 100)
    assert len(cut) == 100
    assert cut.endswith("x\n[cut: the whole has 1,000 characters]")
