"""Commands after a slash: one table, strict reading, and suggestions while they are typed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.config.sampling import SAMPLING_FIELDS
from gemma_chat.ui.actions import ACTIONS
from gemma_chat.ui.input.completion import Offer, offer
from gemma_chat.ui.input.slash import (
    COMMANDS,
    Call,
    Completes,
    Refusal,
    command_named,
    escaped,
    is_command,
    literal,
    parse,
)


def test_every_action_with_a_slash_and_every_sampling_setting_is_a_command() -> None:
    ids = {command.id for command in COMMANDS}
    assert {action.id for action in ACTIONS if action.slash} <= ids
    assert {f"setting.{field.name}" for field in SAMPLING_FIELDS} <= ids


def test_no_name_means_two_commands_and_all_are_explained() -> None:
    counted = Counter(name for command in COMMANDS for name in command.names)
    assert [name for name, times in counted.items() if times > 1] == []
    assert all(command.label and command.explanation.endswith(".") for command in COMMANDS)


def called(text: str) -> tuple[str, str]:
    call = parse(text)
    assert isinstance(call, Call)
    return call.command.id, call.argument


def refused(text: str) -> str:
    refusal = parse(text)
    assert isinstance(refusal, Refusal)
    return refusal.sentence


def test_a_command_is_read_with_its_argument() -> None:
    assert called("/temp 0.2") == ("setting.temperature", "0.2")
    assert called("/TOP-K  5 ") == ("setting.top_k", "5")
    assert called("/system You are\na pirate.\n") == ("tab.system", "You are\na pirate.")
    assert called("/help") == ("program.help", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/tempp 1", "Did you mean /temp?"),
        ("/", "There is no command /."),
        ("/usr/bin/env is what?", "begin with //"),
        ("/help me", "takes nothing after its name"),
        ("/file", "the PATH is missing"),
        ("/\x1b[2J", "/·[2J"),
        ("/" + "x" * 100_000, "There is no command /xxx"),
    ],
)
def test_what_is_no_command_is_refused_with_a_sentence(text: str, words: str) -> None:
    sentence = refused(text)
    assert words in sentence
    assert len(sentence) < 300
    assert sentence.isprintable()


def test_two_slashes_are_one_that_is_meant_as_text() -> None:
    assert not is_command("//usr")
    assert literal("//usr") == "/usr"
    assert not is_command("no / command")


@given(st.text(alphabet="/ab ", max_size=6))
def test_a_sent_message_that_comes_back_is_sent_as_the_same_again(text: str) -> None:
    assert literal(escaped(text)) == text
    assert not is_command(escaped(text))


class Names:
    """A few names of each kind."""

    def names(self, kind: Completes) -> list[tuple[str, str]]:
        return [("pirate", "Arr."), ("poet", "Verse.")] if kind == "role" else []

    def paths(self, typed: str) -> list[str]:
        return [path for path in ("src/", "setup.py", "my file.txt") if path.startswith(typed)]


def offered(line: str, *, first_line: bool = True) -> Offer | None:
    return offer(line, len(line), first_line=first_line, sources=Names())


def texts(line: str) -> list[str]:
    found = offered(line)
    return [each.text for each in found.suggestions] if found else []


def test_commands_are_suggested_by_their_beginning_then_by_what_is_in_them() -> None:
    assert texts("/te")[0] == "/temp "
    assert texts("/syst")[0] == "/system "
    assert "/repeat_penalty " in texts("/penalty")
    assert texts("/zzz") == []
    assert len(texts("/")) > 20


def test_arguments_are_suggested_until_they_are_complete() -> None:
    assert texts("/role p") == ["pirate", "poet"]
    assert texts("/role po") == ["poet"]
    assert texts("/role poet") == []
    assert texts("/temp 0") == []
    assert texts("/nothing x") == []


@pytest.mark.parametrize("line", ["@s", "see @s", "(@s", "first /slash @s"])
def test_files_are_suggested_after_an_at_sign(line: str) -> None:
    assert texts(line) == ["src/", "setup.py"]


@pytest.mark.parametrize("line", ["me@s", "//x", "plain", "@nothing", "a @ b"])
def test_nothing_is_suggested_elsewhere(line: str) -> None:
    assert offered(line) is None or texts(line) == []


def test_a_slash_on_a_later_line_is_text_and_a_file_name_may_have_blanks() -> None:
    assert offered("/te", first_line=False) is None
    found = offered("@my\\ f")
    assert found is not None
    assert (found.start, found.suggestions[0].text) == (0, "my file.txt")


def test_names_of_commands_are_found_without_regard_to_case_and_dashes() -> None:
    assert command_named("TOP-p") is command_named("top_p")
    assert command_named("") is None
