"""Stored conversations from the shell."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from tests.cli.conftest import Shell
from tests.host.rig import DEADLINE

from gemma_chat.cli.library_work import listed
from gemma_chat.cli.reaching import reached
from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import GemmaChatError
from gemma_chat.exchange.reading import parse_conversations, read_conversations
from gemma_chat.host.tenancy import Tenancy
from gemma_chat.store.records import NewMessage
from gemma_chat.store.store import Store
from gemma_chat.terms import MessageRole


@pytest.fixture(autouse=True)
def two() -> None:
    """Conversations 1 "The sea" and 2 "The sky"."""
    Paths.default().make_folders()
    store = Store.open(Paths.default().database)
    for title, said in (("The sea", "Salt \x1b[31mwater"), ("The sky", "Blue air")):
        store.library.add(
            title,
            SessionSettings(),
            (NewMessage(role="user", text="What is it?"), NewMessage(role="assistant", text=said)),
        )
    store.close()


def titles(shell: Shell) -> list[str]:
    return [json.loads(line)["title"] for line in shell("list", "--json").stdout.splitlines()]


def test_a_list_for_a_pipe_has_tabs_and_the_newest_first(shell: Shell) -> None:
    lines = shell("list").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["2", "1"]
    assert lines[0].split("\t")[4] == "The sky"
    assert shell("list", "SEA").stdout.count("\n") == 1


def test_what_is_not_found_is_said_beside_stdout_and_messages_are_counted(shell: Shell) -> None:
    assert shell("fork", "1", "--title", "").exit_code == 0
    rows = [line.split("\t") for line in shell("list").stdout.splitlines()]
    assert rows[0][3:] == ["2 messages", "(Salt \\x1b[31mwater)"]
    for arguments, said in (
        (("list", "moon"), "No conversation has 'moon' in its title.\n"),
        (("list", "--open"), "No open conversation.\n"),
        (("search", "moon"), "No message holds that.\n"),
    ):
        done = shell(*arguments)
        assert (done.stdout, done.stderr) == ("", f"gemma-chat: {said}")


async def test_a_command_waits_while_another_one_has_the_conversations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr("gemma_chat.cli.waiting.UNSAID_SECONDS", 0.0)
    monkeypatch.setattr("gemma_chat.cli.waiting.say", said.put_nowait)
    paths = Paths.default()
    other = Tenancy.claim(paths.lock_file, paths.socket)

    async def count() -> int:
        async with reached(paths) as host:
            return len(await listed(host, "all", "", 9))

    counting = asyncio.create_task(count())
    async with asyncio.timeout(DEADLINE):
        assert f"(pid {os.getpid()})" in await said.get()
        other.release()
        assert await counting == 2
    assert said.empty()


@pytest.mark.parametrize("name", ["1", "The sea", "the SEA", "sea"])
def test_a_conversation_is_named_by_number_title_or_part(shell: Shell, name: str) -> None:
    assert "# The sea" in shell("show", name).stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("The s", "2 conversations are called"),
        ("moon", "no conversation called"),
        ("99", "no conversation 99"),
        ("", "no conversation called"),
    ],
)
def test_a_name_that_is_none_or_several_is_a_sentence(shell: Shell, name: str, said: str) -> None:
    error = shell("show", name).exception
    assert isinstance(error, GemmaChatError)
    assert said in str(error)


def test_control_characters_are_made_visible(shell: Shell) -> None:
    for command in (("show", "1"), ("search", "salt"), ("export", "1", "-")):
        assert "\x1b" not in shell(*command).stdout


def test_search_marks_what_it_found_and_exits_with_1_when_it_found_nothing(shell: Shell) -> None:
    found = shell("search", "blu")
    assert (found.exit_code, "[Blue] air" in found.stdout) == (0, True)
    assert shell("search", "blu", "-c", "sea").exit_code == 1
    [hit] = shell("search", "--json", "--role", "assistant", "air").stdout.splitlines()
    assert json.loads(hit)["session"] == 2


def test_what_is_exported_can_be_imported(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "sea.json"
    assert shell("export", "sea", str(file)).exit_code == 0
    assert shell("import", str(file)).stdout == "3\tThe sea\n"
    assert shell("show", "3", "--json").stdout.count("Salt") == 1


def test_all_branches_are_exported_to_json_and_the_chosen_one_is_printed(
    shell: Shell, tmp_path: Path
) -> None:
    store = Store.open(Paths.default().database)
    said = [
        NewMessage(role="user", text="Why?"),
        NewMessage(role="assistant", text="First try", chosen=False),
        NewMessage(role="assistant", text="Second try", parent=1),
    ]
    store.library.add("Tides", SessionSettings(), said)
    store.close()
    file = tmp_path / "tides.json"
    shell("export", "Tides", str(file))
    shell("import", str(file))
    [before] = read_conversations(file)
    [after] = parse_conversations(shell("show", "4", "--json").stdout.encode())
    assert after.lines == before.lines
    assert [line.text for line in after.lines] == ["Why?", "First try", "Second try"]
    printed = shell("show", "4").stdout
    assert "Second try" in printed
    assert "First try" not in printed


@pytest.mark.parametrize("ending", [".md", ".html", ".svg"])
def test_a_files_name_says_how_it_is_exported(shell: Shell, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"sea{ending}"
    shell("export", "sea", str(file))
    assert "The sea" in file.read_text()
    assert "left as it is" in str(shell("export", "sea", str(file)).exception)
    assert shell("export", "--force", "sea", str(file)).exit_code == 0


def test_without_a_file_the_title_gives_a_plain_name(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell("rename", "1", "../../etc/passwd \x1b[0m")
    shell("export", "1")
    assert [file.name for file in tmp_path.glob("*.md")] == ["1-etc-passwd-0m.md"]


def test_a_file_that_cannot_be_imported_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    shell("export", "sea", str(good))
    bad.write_text("{")
    assert "bad.json cannot be imported" in str(shell("import", str(good), str(bad)).exception)
    assert len(titles(shell)) == 2


def test_a_conversation_that_is_refused_names_its_file_and_what_came_before_it_is_told(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "three.json"
    shell("export", "sea", str(file))
    whole = json.loads(file.read_text())
    [sea] = whole["conversations"]
    thought = {"type": "thought", "at": -1, "text": "Hm."}
    reply = {**sea["messages"][1], "asides": [thought]}
    wrong = {**sea, "title": "Bad \x1b[2J", "messages": [sea["messages"][0], reply]}
    file.write_text(json.dumps({**whole, "conversations": [sea, wrong, sea]}))
    done = shell("import", str(file))
    assert done.stdout == "3\tThe sea\n"
    assert f"{file} cannot be imported whole. Its conversation 'Bad [2J' is refused" in (
        str(done.exception).replace("\\x1b", "")
    )
    assert titles(shell) == ["The sea", "The sky", "The sea"]


def test_renaming_forking_and_deleting(shell: Shell) -> None:
    assert shell("rename", "sea", "Ocean").exit_code == 0
    assert shell("fork", "ocean").stdout == "3\n"
    assert titles(shell) == ["Ocean (fork)", "The sky", "Ocean"]
    assert shell("delete", "-y", "sky", "3").exit_code == 0
    assert titles(shell) == ["Ocean"]


def test_a_fork_has_all_that_belongs_to_the_conversation(shell: Shell) -> None:
    store = Store.open(Paths.default().database)
    session = store.create(SessionSettings(system_instruction="Pirate"), group="work").session
    for role in get_args(MessageRole):
        message = store.add_message(session, turn=1, role=role, text=role, state="complete")
        store.branches.pin(message.message, pinned=True)
    store.close()
    assert shell("fork", str(session), "--title", "Other").stdout == "4\n"
    store = Store.open(Paths.default().database)
    fork = store.conversation(4)
    assert (fork.title, fork.title_by, fork.group) == ("Other", "person", "work")
    assert fork.settings.system_instruction == "Pirate"
    assert store.tabs.order() == (session, 4)
    assert [(one.text, one.pinned) for one in store.messages(4)] == [
        ("user", True),
        ("assistant", True),
    ]
    store.close()


@pytest.mark.parametrize("title", ["x" * 300, "99"])
def test_a_fork_that_cannot_be_leaves_nothing(shell: Shell, title: str) -> None:
    if title == "99":
        assert "no conversation 99" in str(shell("fork", "99").exception)
    else:
        assert "at most 200" in str(shell("fork", "1", "--title", title).exception)
    assert len(titles(shell)) == 2


def test_deleting_asks_first(shell: Shell) -> None:
    refused = shell("delete", "1", stdin="n\n")
    assert (refused.exit_code, "Nothing is deleted." in refused.stderr) == (1, True)
    assert "Nobody has answered" in str(shell("delete", "1", stdin="").exception)
    assert len(titles(shell)) == 2
    assert shell("delete", "1", stdin="y\n").exit_code == 0
    assert titles(shell) == ["The sky"]


def test_a_backup_is_a_database_of_its_own(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    assert shell("backup", str(file)).exit_code == 0
    store = Store.open(file)
    assert len(store.conversations()) == 2
    store.close()


def test_whoever_reads_only_the_beginning_ends_the_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "gemma_chat.cli.main", "list"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")
