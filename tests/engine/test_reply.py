"""A streamed reply is set apart into text, thoughts and calls, however its tokens are cut."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_chat.engine.calls import MAX_CALL
from gemma_chat.engine.interface import ReplyForm, ReplyPart, ToolCall, ToolSpec
from gemma_chat.engine.marks import (
    FUNCTION_GEMMA_CALLS,
    GEMMA4_CALLS,
    GEMMA4_THINKING,
    PROMPTED_CALLS,
    THINK_TAGS,
    TOOL_CALL_TAGS,
    Marks,
)
from gemma_chat.engine.reply import ReplyReader

CLOCK = ToolSpec(
    "clock",
    "Tells the time.",
    '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}',
)
QWEN = Marks(TOOL_CALL_TAGS, THINK_TAGS)
GEMMA4 = Marks(GEMMA4_CALLS, GEMMA4_THINKING)
FUNCTION_GEMMA = Marks(FUNCTION_GEMMA_CALLS)
PROMPTED = Marks(PROMPTED_CALLS)
TOOLS = ReplyForm(tools=(CLOCK,))
PARIS = ToolCall("", "clock", '{"city": "Paris"}')
CALL = '<tool_call>\n{"name": "clock", "arguments": {"city": "Paris"}}\n</tool_call>'
FENCE = '```tool_call\n{"name": "clock", "arguments": {"city": "Paris"}}\n```'

Heard = tuple[str, str, tuple[ToolCall, ...]]


def joined(parts: Sequence[ReplyPart]) -> Heard:
    """Text, thinking and calls."""
    text = "".join(part.text for part in parts if part.kind == "text")
    thinking = "".join(part.text for part in parts if part.kind == "thinking")
    return text, thinking, tuple(part.call for part in parts if part.call is not None)


def hear(
    marks: Marks,
    said: str,
    form: ReplyForm = TOOLS,
    *,
    cuts: Sequence[int] = (),
    controls: Sequence[str] = (),
    stop: Sequence[str] = (),
    cut: bool = False,
    thinking_open: bool = False,
) -> Heard:
    """What is heard of a reply whose bytes are cut in tokens at these places, one by one if none.

    The marks in `controls` are control tokens.
    """
    reader = ReplyReader(marks, form, stop, thinking_open=thinking_open)
    parts: list[ReplyPart] = []
    for stretch in _split(said, controls):
        if stretch in controls:
            parts += reader.feed(b"", stretch)
            continue
        data = stretch.encode()
        places = {place % (len(data) + 1) for place in cuts} or set(range(len(data)))
        for a, b in itertools.pairwise(sorted({0, len(data), *places})):
            parts += reader.feed(data[a:b])
    return joined([*parts, *reader.flush(cut=cut)])


def _split(said: str, controls: Sequence[str]) -> list[str]:
    stretches = [said]
    for name in controls:
        stretches = [
            part
            for whole in stretches
            for number, piece in enumerate(whole.split(name))
            for part in (([name] if number else []) + [piece])
        ]
    return stretches


THOUGHT_AND_CALLS = f"<think>\nHm, 🤔 <b>Paris</b>?\n</think>\n\nLet me see.\n\n{CALL}\n{CALL}"


@settings(deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=20))
def test_tags_cut_anywhere_never_leak(cuts: list[int]) -> None:
    """Case 18 of the session API: no tag of a thought, however it is split, is part of the text."""
    heard = hear(QWEN, THOUGHT_AND_CALLS, cuts=cuts)
    assert heard == ("Let me see.", "Hm, 🤔 <b>Paris</b>?", (PARIS, PARIS))


@settings(deadline=None)
@given(st.text('<think>/tol_ca\n` {}"\\é', max_size=60), st.lists(st.integers(0, 200)))
def test_no_reply_raises_and_the_same_is_heard_however_it_is_cut(
    said: str, cuts: list[int]
) -> None:
    for marks in (QWEN, PROMPTED, GEMMA4):
        assert hear(marks, said, cuts=cuts) == hear(marks, said)


@settings(deadline=None)
@given(st.text(max_size=200), st.lists(st.integers(0, 200)))
def test_text_without_marks_arrives_whole(said: str, cuts: list[int]) -> None:
    """Case 20 of the session API."""
    form = ReplyForm()
    said = said.encode("utf-8", "replace").decode()
    assert hear(PROMPTED, said, form, cuts=cuts) == (said, "", ())


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_invalid_bytes_become_the_same_replacement_however_they_are_cut(
    said: bytes, cuts: list[int]
) -> None:
    """Case 20 of the session API."""
    reader = ReplyReader(PROMPTED, ReplyForm(), (), thinking_open=False)
    edges = sorted({0, len(said), *(cut % (len(said) + 1) for cut in cuts)})
    parts = [part for a, b in itertools.pairwise(edges) for part in reader.feed(said[a:b])]
    heard = joined([*parts, *reader.flush(cut=False)])
    assert heard == (said.decode("utf-8", "replace"), "", ())


@pytest.mark.parametrize("character", ["é", "漢", "🙂", "👩‍🚀"], ids=ascii)
def test_a_character_whose_bytes_are_split_over_tokens_comes_in_one_piece(character: str) -> None:
    """Case 20 of the session API."""
    reader = ReplyReader(PROMPTED, ReplyForm(), (), thinking_open=False)
    data = f"a{character}b".encode()
    texts = [part.text for at in range(len(data)) for part in reader.feed(data[at : at + 1])]
    assert any(character in text for text in texts)
    assert "".join(texts) == f"a{character}b"


def test_half_a_character_at_the_end_becomes_one_replacement() -> None:
    reader = ReplyReader(PROMPTED, ReplyForm(), (), thinking_open=False)
    assert reader.feed("🙂".encode()[:3]) == []
    assert joined(reader.flush(cut=False)) == ("\ufffd", "", ())


def test_gemma_4_thinks_in_a_channel_and_calls_in_its_notation() -> None:
    controls = ("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", '<|"|>')
    said = (
        "<|channel>thought\nWhere?\n<channel|>"
        '<|tool_call>call:clock{city:<|"|>Paris, "le <tool_call|>" {x}<|"|>}<tool_call|>'
    ).replace("le <tool_call|>", "le <|x|>")
    text, thinking, (call,) = hear(GEMMA4, said, controls=controls)
    assert (text, thinking, call.error) == ("", "Where?", "")
    assert json.loads(call.arguments) == {"city": 'Paris, "le <|x|>" {x}'}
    assert hear(GEMMA4, said) == (text, thinking, (call,))


def test_function_gemma_hands_over_with_a_mark_that_is_never_heard() -> None:
    said = (
        "<start_function_call>call:clock{city:<escape>Paris<escape>}<end_function_call>"
        "<start_function_response>response:clock{"
    )
    assert hear(FUNCTION_GEMMA, said) == ("", "", (PARIS,))
    assert hear(FUNCTION_GEMMA, said, controls=["<start_function_response>"])[2] == (PARIS,)


def test_an_empty_thought_is_no_thought() -> None:
    assert hear(QWEN, "<think>\n\n</think>\n\nHello") == ("Hello", "", ())
    assert hear(GEMMA4, "<|channel>thought\n<channel|>Hello") == ("Hello", "", ())


def test_a_thought_that_the_prompt_opened_goes_on_in_the_reply() -> None:
    heard = hear(QWEN, "Hm.\n</think>\n\nYes.", ReplyForm(), thinking_open=True)
    assert heard == ("Yes.", "Hm.", ())


def test_a_thought_without_end_stays_a_thought() -> None:
    assert hear(QWEN, "<think>Hm, hm </th", cut=True) == ("", "Hm, hm </th", ())


@pytest.mark.parametrize(
    "said",
    [
        "Write `<think>` to think.",
        "First\n<think>no thought</think>",
        f"An example:\n```\n{CALL}\n```\nSo.",
        f"An example:\n~~~xml\n{CALL}\n~~~\nSo.",
        'Say "<tool_call>" and "</tool_call>".',
        f"> {CALL}",
        "a < b <tool_calls> <tool_call",
    ],
)
def test_text_that_speaks_about_marks_is_text(said: str) -> None:
    assert hear(QWEN, said) == (said, "", ())


def test_a_call_in_another_fence_or_in_text_is_text_for_a_model_that_was_told_of_fences() -> None:
    for said in (FENCE.replace("tool_call", "json"), f"> {FENCE}", f"Use {CALL}"):
        assert hear(PROMPTED, said) == (said, "", ())


def test_without_tools_or_when_none_may_be_called_a_call_is_text() -> None:
    for form in (ReplyForm(), ReplyForm(tools=(CLOCK,), tool_choice="none")):
        assert hear(QWEN, CALL, form) == (CALL, "", ())


@pytest.mark.parametrize("said", [FENCE, "Sure:\n\n" + FENCE, FENCE + "\n\n" + FENCE])
def test_a_fence_of_its_own_kind_is_a_call(said: str) -> None:
    text, _, calls = hear(PROMPTED, said)
    assert text in ("", "Sure:")
    assert set(calls) == {PARIS}


def test_a_reply_that_is_nothing_but_a_call_in_json_is_one_and_any_other_object_is_text() -> None:
    bare = '{"name": "clock", "arguments": {"city": "Paris"}}'
    assert hear(PROMPTED, bare) == ("", "", (PARIS,))
    for said in (
        bare.replace("clock", "Peter"),
        bare + " is JSON.",
        '{"city": "Paris", "more": [1, 2]}',
        "{" + " " * 1000 + "}",
        "{" * 300_000,
    ):
        assert hear(PROMPTED, said, cuts=[7, 50]) == (said, "", ())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "must be an object"),
        ('{"name": 7}', '"name"'),
        ('{"name": "clock", "arguments": [1]}', '"arguments" must be an object'),
        ('{"name": "clock", "arguments": "{"}', '"arguments" is not JSON'),
        ('{"name": "clock", "arguments": {"city": NaN}}', "NaN is no number"),
        ('{"name": "clock", "arguments": {"city": ' + "[" * 99_000 + "}", "nested too deeply"),
        ('{"name": "clock", "arguments": {"city": ' + "9" * 9_000 + "}}", "not JSON"),
        ('{"name": "rm", "arguments": {}}', "no tool 'rm'; the tools are: clock"),
        ('{"name": "clock", "arguments": {}}', "must have 'city'"),
        ('{"name": "clock", "arguments": {"city": 7}}', "must be string, not 7"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_in_a_sentence(call: str, words: str) -> None:
    _, _, (failed,) = hear(QWEN, f"<tool_call>{call}</tool_call>", cuts=[11])
    assert words in failed.error
    json.loads(failed.arguments)


def test_a_call_that_is_cut_off_fails_and_one_that_only_lacks_its_mark_does_not() -> None:
    half = CALL[: len(CALL) // 2]
    for cut in (True, False):
        text, _, (failed,) = hear(QWEN, half, cut=cut)
        assert (text, failed.name) == ("", "clock")
        assert failed.error
    assert hear(QWEN, CALL.removesuffix("</tool_call>"), cut=True)[2] == (PARIS,)


def test_a_call_without_end_fails_and_ends_the_reply() -> None:
    reader = ReplyReader(QWEN, TOOLS, (), thinking_open=False)
    parts: list[ReplyPart] = []
    for _ in range(1000):
        parts += reader.feed(b'<tool_call>{"name": "clock", "arguments": "' + b"x" * 1000)
        if reader.stopped:
            break
    (part,) = parts
    assert part.call is not None
    assert f"longer than {MAX_CALL} characters" in part.call.error


def test_marks_within_the_strings_of_arguments_are_part_of_them() -> None:
    city = '</tool_call> \\" <tool_call> ```'
    said = CALL.replace("Paris", city)
    _, _, (call,) = hear(QWEN, said)
    assert call == ToolCall("", "clock", f'{{"city": "{city}"}}')


def test_what_a_model_says_after_its_calls_is_not_heard_and_ends_the_reply() -> None:
    reader = ReplyReader(QWEN, TOOLS, (), thinking_open=False)
    parts = [*reader.feed(f"{CALL}\nIt is noon".encode())]
    assert reader.stopped
    assert joined([*parts, *reader.flush(cut=False)]) == ("", "", (PARIS,))


def test_stop_strings_end_the_answer_and_are_not_looked_for_elsewhere() -> None:
    said = f"<think>Paris</think>Well, Paris\n{CALL}"
    assert hear(QWEN, said, stop=["Paris"]) == ("Well, ", "Paris", ())
    assert hear(QWEN, CALL, stop=["Paris"]) == ("", "", (PARIS,))


def test_of_a_reply_that_is_given_up_text_is_kept_and_half_a_call_is_not() -> None:
    for said, kept in (("Hello <tool", "Hello <tool"), ("Hello\n" + CALL[:30], "Hello")):
        reader = ReplyReader(QWEN, TOOLS, (), thinking_open=False)
        heard = joined(reader.feed(said.encode()))[0]
        assert heard + reader.drop() == kept
