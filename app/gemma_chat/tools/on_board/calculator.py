"""Arithmetic, which models guess at.

An expression is parsed by Python and walked here: nothing is ever evaluated but the operators,
functions and constants of the tables below, on numbers whose size is known before they are made.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Annotated, Final

from gemma_chat.errors import ToolError
from gemma_chat.tools.functions import function_tool
from gemma_chat.tools.tool import Tool

MAX_CHARACTERS: Final = 500
MAX_NODES: Final = 200
MAX_DEPTH: Final = 40
MAX_BITS: Final = 10_000
"""Whole numbers are exact up to here, about 3,000 digits, which takes no time worth a limit."""
MAX_FACTORIAL: Final = 1_000

Number = int | float

_BINARY: Final[dict[type[ast.operator], Callable[[Number, Number], Number]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: Final[dict[type[ast.unaryop], Callable[[Number], Number]]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_CONSTANTS: Final = {"pi": math.pi, "e": math.e, "tau": math.tau}
_SIGNS: Final = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "π": " pi ", "√": " sqrt "})


def calculator_tool() -> Tool:
    """The tool `calculator`."""

    def calculator(
        expression: Annotated[str, "For example (2 + 3) * 4 ** 2 / sqrt(9)"],
    ) -> str:
        """Compute an arithmetic expression exactly.

        It knows + - * / // % ** and parentheses, abs, round, floor, ceil, min, max, sqrt, exp,
        log, log2, log10, sin, cos, tan, asin, acos, atan, degrees, radians, factorial, gcd, lcm,
        comb, and pi, e, tau.
        """
        return str(calculate(expression))

    return function_tool(calculator)


def calculate(expression: str) -> Number:
    """The value of `expression`; raises `ToolError` when it has none, or is too large."""
    if len(expression) > MAX_CHARACTERS:
        raise ToolError(
            f"The expression has {len(expression):,} characters; at most {MAX_CHARACTERS} are "
            "allowed. Compute it in parts."
        )
    try:
        tree = ast.parse(expression.translate(_SIGNS).strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ToolError(
            f"{expression!r} is not an arithmetic expression. Write one such as (2 + 3) * 4."
        ) from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise ToolError("The expression has too many parts. Compute it in several.")
    try:
        return _value(tree.body, MAX_DEPTH)
    except ZeroDivisionError:
        raise ToolError("The expression divides by zero.") from None
    except OverflowError:
        raise ToolError("The result is too large for a floating-point number.") from None
    except (ValueError, TypeError) as error:
        raise ToolError(f"The expression has no value: {error}.") from None


def _value(node: ast.expr, depth: int) -> Number:
    if depth == 0:
        raise ToolError("The expression is nested too deeply. Compute it in parts.")
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return _real(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=inner) if type(sign) in _UNARY:
            return _UNARY[type(sign)](_value(inner, depth - 1))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return _combined(sign, _value(left, depth - 1), _value(right, depth - 1))
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]) if name in _FUNCTIONS:
            return _real(_FUNCTIONS[name](*(_value(one, depth - 1) for one in given)))
        case ast.BinOp(op=ast.BitXor()):
            raise ToolError("^ is not known; write ** for powers.")
    raise ToolError(f"{ast.unparse(node)[:80]!r} is not known here; only arithmetic is.")


def _combined(sign: ast.operator, left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        if isinstance(sign, ast.Pow):
            _check_bits(left.bit_length() * max(0, right))
        elif isinstance(sign, ast.Mult):
            _check_bits(left.bit_length() + right.bit_length())
    return _real(_BINARY[type(sign)](left, right))


def _real(value: object) -> Number:
    """`value`, when it is a number that can be gone on with."""
    if isinstance(value, complex):
        raise ToolError("The result is not a real number.")
    if isinstance(value, float) and not math.isfinite(value):
        raise OverflowError
    assert isinstance(value, int | float)
    return _sized(value)


def _sized(value: Number) -> Number:
    if isinstance(value, int):
        _check_bits(value.bit_length())
    return value


def _check_bits(bits: int) -> None:
    if bits > MAX_BITS:
        raise ToolError(
            f"A whole number would have more than {round(MAX_BITS * math.log10(2)):,} digits. "
            "Write a factor or exponent as 1.0 for an approximate result."
        )


def _round(value: Number, digits: Number = 0) -> Number:
    return round(value, _whole(digits)) if digits else round(value)


def _whole(value: Number) -> int:
    if not isinstance(value, int) or abs(value) > 10**6:
        raise ValueError(f"{value} is not a whole number of a size that can be used here")
    return value


def _factorial(value: Number) -> int:
    if _whole(value) > MAX_FACTORIAL:
        raise ToolError(f"factorial goes up to {MAX_FACTORIAL:,} here.")
    return math.factorial(_whole(value))


def _choose(of: Number, some: Number) -> int:
    if _whole(of) > MAX_FACTORIAL:
        raise ToolError(f"comb goes up to {MAX_FACTORIAL:,} here.")
    return math.comb(_whole(of), _whole(some))


_FUNCTIONS: Final[dict[str, Callable[..., Number]]] = {
    "abs": abs,
    "round": _round,
    "floor": math.floor,
    "ceil": math.ceil,
    "min": lambda *given: min(given),
    "max": lambda *given: max(given),
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "degrees": math.degrees,
    "radians": math.radians,
    "factorial": _factorial,
    "gcd": lambda *given: math.gcd(*map(_whole, given)),
    "lcm": lambda left, right: math.lcm(_whole(left), _whole(right)),
    "comb": _choose,
}
