"""Chat templates: what is rendered, and what a hostile one cannot do."""

from __future__ import annotations

import sys

import pytest

from gemma_chat.engine.interface import ChatMessage
from gemma_chat.engine.template import BUILT_IN, MAX_TEMPLATE_CHARACTERS, ChatTemplate, family_of
from gemma_chat.errors import TemplateError

SYSTEM = ChatMessage("system", "Be brief.")
HELLO = ChatMessage("user", "Hello")
HI = ChatMessage("assistant", "Hi")


def render(source: str, *messages: ChatMessage) -> str:
    return ChatTemplate(source, beginning="<bos>", end="<eos>").render(messages)


def test_chatml_writes_a_turn_for_each_message_and_opens_the_reply() -> None:
    assert render(BUILT_IN["chatml"], SYSTEM, HELLO) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_gemma_3_has_no_system_role_so_the_instruction_precedes_the_first_message() -> None:
    assert render(BUILT_IN["gemma3"], SYSTEM, HELLO, HI, HELLO) == (
        "<bos><start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n"
        "<start_of_turn>model\nHi<end_of_turn>\n"
        "<start_of_turn>user\nHello<end_of_turn>\n"
        "<start_of_turn>model\n"
    )


def test_gemma_4_has_a_system_turn() -> None:
    assert render(BUILT_IN["gemma4"], SYSTEM, HELLO) == (
        "<bos><|turn>system\nBe brief.<turn|>\n<|turn>user\nHello<turn|>\n<|turn>model\n"
        "<|channel>thought\n<channel|>"
    )


def test_gemma_4_is_asked_to_think_in_its_system_turn() -> None:
    template = ChatTemplate(BUILT_IN["gemma4"], beginning="<bos>", end="<eos>")
    asked = "<|turn>user\nHello<turn|>\n<|turn>model\n"
    assert (
        template.render([HELLO], thinking=True) == f"<bos><|turn>system\n<|think|><turn|>\n{asked}"
    )
    assert template.render([SYSTEM, HELLO], thinking=True) == (
        f"<bos><|turn>system\n<|think|>Be brief.<turn|>\n{asked}"
    )


def test_a_system_instruction_without_any_message_is_not_lost() -> None:
    assert "Be brief." in render(BUILT_IN["gemma3"], SYSTEM)


def test_neighbours_of_one_role_are_joined_for_templates_that_want_them_to_alternate() -> None:
    assert render("{{ messages | length }} {{ messages[0].content }}", HELLO, HELLO) == (
        "1 Hello\n\nHello"
    )


@pytest.mark.parametrize(
    ("architecture", "names", "family"),
    [
        ("gemma3", [], "gemma3"),
        ("gemma2", ["<start_of_turn>"], "gemma3"),
        ("gemma4", [], "gemma4"),
        ("llama", ["<|turn>"], "gemma4"),
        ("llama", ["<|im_start|>"], "chatml"),
        ("llama", [], "other"),
    ],
)
def test_families_are_known_by_their_tokens_and_architecture(
    architecture: str, names: list[str], family: str
) -> None:
    assert family_of(architecture, names) == family


HOSTILE = {
    "reads an attribute of python": "{{ ''.__class__.__mro__ }}{{ cycler.__init__.__globals__ }}",
    "changes its input": "{{ messages.append(1) }}",
    "loops without output": (
        "{% set r = range(99999) | list %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}"
    ),
    "builds a huge text": "{{ 'x' * 2000000000 }}",
    "builds a huge list": "{{ [1] * 2000000000 }}",
    "raises to a huge power": "{{ 9 ** 99999999 }}",
    "writes without end": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{{ 'x' * 1000 }}"
        "{% endfor %}{% endfor %}"
    ),
    "divides by zero": "{{ 1 / 0 }}",
    "includes a file": "{% include '/etc/passwd' %}",
    "recurses": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "says it cannot": "{{ raise_exception('no [bold] markup') }}",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_template_that_does_too_much_is_an_error_and_not_a_hang(source: str) -> None:
    before = sys.gettrace()
    with pytest.raises(TemplateError, match="chat template"):
        render(source, HELLO)
    assert sys.gettrace() is before


def test_a_huge_or_broken_template_is_refused_when_it_is_read() -> None:
    with pytest.raises(TemplateError, match=str(MAX_TEMPLATE_CHARACTERS)):
        render("x" * (MAX_TEMPLATE_CHARACTERS + 1))
    with pytest.raises(TemplateError, match="cannot be read"):
        render("{% for %}")
