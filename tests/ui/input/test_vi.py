"""vi's keys: what each command makes of a text, and where it leaves the cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.ui.input.vi.machine import ViMachine

ESC = "\x1b"


def played(before: str, keys: str, vi: ViMachine | None = None) -> tuple[str, str]:
    """The text with its cursor as `|`, and the mode, after these keys; `\\x1b` is escape."""
    vi = vi or ViMachine(mode="normal")
    cursor = before.index("|")
    text = before.replace("|", "", 1)
    for character in keys:
        key = "escape" if character == ESC else "enter" if character == "\r" else character
        if vi.mode == "insert" and key != "escape":
            text = text[:cursor] + key + text[cursor:]
            cursor += 1
            continue
        outcome = vi.press(key, text, cursor)
        if outcome.start is not None:
            text = text[: outcome.start] + outcome.text + text[outcome.end :]
        cursor = outcome.cursor
    return text[:cursor] + "|" + text[cursor:], vi.mode


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ("one |two", "h", "one| two"),
        ("on|e\ntwo", "l", "on|e\ntwo"),
        ("one two|", "0", "|one two"),
        ("  on|e", "^", "  |one"),
        ("|one two", "$", "one tw|o"),
        ("|one two-three", "w", "one |two-three"),
        ("one |two-three", "2w", "one two-|three"),
        ("one |two-three", "W", "one two-thre|e"),
        ("one two|", "b", "one |two"),
        ("one two-thre|e", "B", "one |two-three"),
        ("|one two", "e", "on|e two"),
        ("|one two", "E", "on|e two"),
        ("ab|c\nx\nabcd", "jj", "abc\nx\nab|cd"),
        ("abc\nab|c", "k", "ab|c\nabc"),
        ("a\nb\n|c", "gg", "|a\nb\nc"),
        ("|a\nb\nc", "G", "a\nb\n|c"),
        ("|a\nb\nc", "2G", "a\n|b\nc"),
        ("|a(b(c)d)e", "%", "a(b(c)d|)e"),
        ("|a b c b", "fb", "a |b c b"),
        ("|a b c b", "2fb", "a b c |b"),
        ("|a b c b", "tb", "a| b c b"),
        ("a b c |b", "Fb", "a |b c b"),
        ("a b c |b", "Tb", "a b| c b"),
        ("|a b c b", "fb;", "a b c |b"),
        ("|a b c b", "fb;,", "a |b c b"),
        ("|a\n\nb\n\nc", "}", "a\n|\nb\n\nc"),
        ("a\n\nb\n\n|c", "{", "a\n\nb\n|\nc"),
        ("|one", "fz", "|one"),
    ],
)
def test_motions(before: str, keys: str, after: str) -> None:
    assert played(before, keys) == (after, "normal")


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ("|one two three", "dw", "|two three"),
        ("|one two three", "2dw", "|three"),
        ("|one two three", "d2w", "|three"),
        ("|one two", "d$", "|"),
        ("one |two", "D", "one| "),
        ("one |two", "db", "|two"),
        ("|one two", "de", "| two"),
        ("a\n|b\nc", "dd", "a\n|c"),
        ("a\nb\n|c", "dd", "a\n|b"),
        ("|a\nb\nc", "2dd", "|c"),
        ("|a\nb\nc", "dj", "|c"),
        ("a\n|b\nc", "dG", "|a"),
        ("|abc", "x", "|bc"),
        ("ab|c", "X", "a|c"),
        ("|abc", "3x", "|"),
        ("|a b", "dfb", "|"),
        ("|a b", "dtb", "|b"),
        ("|one", "dfz", "|one"),
        ('say "|hi"', 'di"', 'say "|"'),
        ('say "|hi" x', 'da"', "say | x"),
        ("f(|a, b)", "di(", "f(|)"),
        ("f(|a, b)", "da(", "|f"),
        ("one |two three", "diw", "one | three"),
        ("one |two three", "daw", "one |three"),
        ("one |two", "daw", "on|e"),
        ("one\ntw|o\n\nthree", "dip", "|\nthree"),
        ("|one two", "yyp", "one two\n|one two"),
        ("|one two", "ywP", "one| one two"),
        ("|ab", "xp", "b|a"),
        ("|one\ntwo", "J", "one| two"),
        ("|abc", "~~", "AB|c"),
        ("|abc", "rx", "|xbc"),
        ("|abc", "2rx", "x|xc"),
        ("|one\ntwo", ">>", "|  one\ntwo"),
        ("|  one", "<<", "|one"),
    ],
)
def test_changes_that_stay_in_normal_mode(before: str, keys: str, after: str) -> None:
    assert played(before, keys) == (after, "normal")


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ("|one", f"ix{ESC}", "|xone"),
        ("|one", f"ax{ESC}", "o|xne"),
        ("  on|e", f"Ix{ESC}", "  |xone"),
        ("|one", f"Ax{ESC}", "one|x"),
        ("|one", f"ox{ESC}", "one\n|x"),
        ("|one", f"Ox{ESC}", "|x\none"),
        ("|one two", f"cwx{ESC}", "|x two"),
        ("on|e two", f"cwx{ESC}", "on|x two"),
        ("one |two", f"Cx{ESC}", "one |x"),
        ("a\n|b\nc", f"ccx{ESC}", "a\n|x\nc"),
        ("|abc", f"sx{ESC}", "|xbc"),
        ('"|a b"', f'ci"x{ESC}', '"|x"'),
        ("|one two three", f"cwx{ESC}w.", "x |x three"),
        ("|one", f"A!{ESC}.", "one!|!"),
        ("|one\ntwo", f"ox{ESC}.", "one\nx\n|x\ntwo"),
        ("|abcd", "x..", "|d"),
    ],
)
def test_insertions_and_their_repeat(before: str, keys: str, after: str) -> None:
    assert played(before, keys) == (after, "normal")


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ("|one two", "ved", "| two"),
        ("one |two", "vhd", "one|wo"),
        ("|a\nb\nc", "Vjd", "|c"),
        ("|one two", "ve~", "|ONE two"),
        ("|one two", "viwd", "| two"),
        ("a |b c", "vlold", "a b|c"),
        ("|one two", "yiwwviwp", "one |one"),
        ("|one two", f"vec!{ESC}", "|! two"),
        ("|one", "vv", "|one"),
    ],
)
def test_visual_mode(before: str, keys: str, after: str) -> None:
    assert played(before, keys) == (after, "normal")


def test_the_mode_and_what_is_pending_can_be_shown() -> None:
    vi = ViMachine()
    assert (vi.mode, vi.busy) == ("insert", True)
    vi.press("escape", "", 0)
    assert (vi.mode, vi.busy) == ("normal", False)
    vi.press("2", "abc", 0)
    vi.press("d", "abc", 0)
    assert (vi.pending, vi.busy) == ("2d", True)
    vi.press("escape", "abc", 0)
    assert (vi.pending, vi.busy) == ("", False)


def test_undo_and_redo_are_left_to_the_editor() -> None:
    vi = ViMachine(mode="normal")
    assert vi.press("u", "abc", 1).beside == "undo"
    assert vi.press("ctrl+r", "abc", 1).beside == "redo"


def test_an_unknown_key_does_nothing_and_ends_what_was_pending() -> None:
    assert played("|one two", "dqw") == ("one |two", "normal")
    vi = ViMachine(mode="normal")
    vi.press("d", "abc", 0)
    vi.press("f20", "abc", 0)
    assert vi.pending == ""


@given(
    st.text(alphabet='ab \n"({)}', max_size=30),
    st.text(
        alphabet='hjklwbeWBE0^$ggGfFtT;,%{}dcyxXDCYsSrpPJ~u.iaoOIAvVo123\x1b"(a< >', max_size=40
    ),
)
def test_no_keys_bring_the_cursor_out_of_the_text(text: str, keys: str) -> None:
    after, _ = played("|" + text, keys)
    assert after.count("|") == 1


def test_a_huge_count_is_bounded() -> None:
    assert played("|ab", "999999999x") == ("|", "normal")
    text, _ = played("|ab", "yl99999999p")
    assert len(text) < 20_000
