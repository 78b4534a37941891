"""`gemma-chat doctor`: each check finds what is wrong and names a remedy."""

from __future__ import annotations

import json
import os
import pty
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Shell
from tests.remote.scripted import ScriptedServer

from gemma_chat.cli.doctor import terminal
from gemma_chat.cli.doctor.data import data_findings, settings_findings
from gemma_chat.cli.doctor.finding import ChildFailed, Finding, report_of_child
from gemma_chat.cli.doctor.model import model_findings
from gemma_chat.cli.doctor.server import server_findings
from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SessionSettings
from gemma_chat.config.settings import ServerSettings, Settings, change
from gemma_chat.store.store import Store


def by_area(findings: Iterator[Finding] | list[Finding]) -> dict[str, Finding]:
    return {finding.area: finding for finding in findings}


@pytest.fixture
def paths() -> Paths:
    paths = Paths.default()
    paths.make_folders()
    return paths


def fill(paths: Paths) -> None:
    store = Store.open(paths.database)
    for number in range(30):
        session = store.create(SessionSettings()).session
        store.add_message(session, turn=1, role="user", text=f"{number}" * 3000, state="complete")
    store.close()


def test_a_sound_machine_gets_a_report_without_a_fault(shell: Shell, smollm2_path: Path) -> None:
    done = shell("doctor", "--json", "-m", str(smollm2_path))
    found = {line["area"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.exit_code == 0
    assert {"llama.cpp", "CPU features", "first decode", "chat template", "host"} <= set(found)
    assert all(line["remedy"] for line in found.values() if line["state"] != "ok")


def test_a_fault_is_exit_code_1_with_a_remedy(shell: Shell, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF\x03\x00\x00\x00")
    done = shell("doctor", "-m", str(broken))
    assert done.exit_code == 1
    assert "FAULT    model file" in done.stdout
    assert "broken.gguf" in done.stdout


def test_a_server_of_the_settings_is_looked_at_in_place_of_a_model(
    shell: Shell, paths: Paths
) -> None:
    server = ScriptedServer()
    change(paths.settings_file, "server.url", server.url)
    found = by_area(Finding(**json.loads(line)) for line in reported(shell))
    assert (found["server"].state, server.url in found["server"].text) == ("ok", True)
    assert "scripted-model" in found["server's model"].text
    assert server.chats == []
    assert "model" not in found
    server.close()
    found = by_area(Finding(**json.loads(line)) for line in reported(shell))
    assert (found["server"].state, server.url in found["server"].text) == ("fault", True)
    assert "config set server.url" in found["server"].remedy


def reported(shell: Shell) -> list[str]:
    return shell("doctor", "--json").stdout.splitlines()


def test_the_key_of_a_server_is_named_by_its_variable_alone(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "secret\nkey")
    [found] = server_findings(ServerSettings(url="http://127.0.0.1:9", api_key_env="MY_KEY"))
    assert found.state == "fault"
    assert "secret" not in f"{found.text}{found.remedy}"
    monkeypatch.delenv("MY_KEY")
    [found] = server_findings(ServerSettings(url="http://127.0.0.1:9", api_key_env="MY_KEY"))
    assert "MY_KEY" in found.text


def test_a_bare_model_is_told_to_have_no_template(paths: Paths, short_gemma3_path: Path) -> None:
    found = by_area(model_findings(paths, Settings(), short_gemma3_path))
    assert found["loading"].state == "ok"
    assert found["chat template"].state == "warning"


def test_a_child_that_gives_no_report_is_told_with_its_exit_code() -> None:
    with pytest.raises(ChildFailed, match="exit code"):
        report_of_child("gemma_chat.no_such_module")


def test_a_sound_database_is_counted(paths: Paths) -> None:
    fill(paths)
    found = by_area(data_findings(paths))
    assert "30 conversations, 30 messages" in found["conversations"].text
    assert found["privacy"].state == "ok"


def test_a_damaged_database_is_a_fault_and_left_alone(paths: Paths) -> None:
    fill(paths)
    content = bytearray(paths.database.read_bytes())
    content[4096 * 8 : 4096 * 12] = b"\xa5" * (4096 * 4)
    paths.database.write_bytes(content)
    found = by_area(data_findings(paths))["conversations"]
    assert (found.state, "is damaged" in found.text) == ("fault", True)
    assert paths.database.read_bytes() == content


def test_files_that_others_may_read_are_named(paths: Paths) -> None:
    fill(paths)
    paths.database.chmod(0o644)
    found = by_area(data_findings(paths))["privacy"]
    assert found.state == "warning"
    assert f"chmod go-rwx {paths.database}" in found.remedy


def test_a_wrong_settings_file_is_a_fault(paths: Paths) -> None:
    paths.settings_file.write_text("[host")
    _, [found] = settings_findings(paths)
    assert (found.state, bool(found.remedy)) == ("fault", True)


# ---------------------------------------------------------------- the terminal


def answered_by(answer: bytes) -> bytes:
    """What is heard of a terminal that answers the last question with `answer`."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)

    def play() -> None:
        asked = b""
        while b"\x1b[c" not in asked:
            asked += os.read(master, 1024)
        os.write(master, answer)

    playing = threading.Thread(target=play)
    playing.start()
    try:
        return terminal.ask_terminal(slave)
    finally:
        playing.join()
        assert termios.tcgetattr(slave) == before
        os.close(slave)
        os.close(master)


@pytest.fixture
def in_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.tcgetpgrp", lambda _: os.getpgrp())
    # The terminal is played by a thread, which may have to wait for the machine.
    monkeypatch.setattr(terminal, "ANSWER_SECONDS", 60.0)


@pytest.mark.usefixtures("in_foreground")
def test_a_terminal_that_answers_is_understood() -> None:
    answer = answered_by(b"\x1bP>|kitty(0.40)\x1b\\\x1b[?0u\x1b[?62;52c")
    found = by_area(terminal.findings_of(answer, {"COLORTERM": "truecolor"}))
    assert found["terminal"].text == "kitty(0.40)"
    assert {finding.state for finding in found.values()} == {"ok"}


def test_how_pictures_are_shown_depends_on_the_colours_and_on_pillow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for environment, state, said in (
        ({"COLORTERM": "truecolor"}, "ok", "half blocks"),
        ({"NO_COLOR": "1"}, "ok", "in grey"),
        ({"TERM": "xterm"}, "warning", "16 colours"),
    ):
        found = by_area(terminal.findings_of(b"", environment))["images"]
        assert (found.state, said in found.text) == (state, True)
    monkeypatch.setattr(terminal, "find_spec", lambda name: None)
    found = by_area(terminal.findings_of(b"", {"COLORTERM": "truecolor"}))["images"]
    assert (found.state, "pip install" in found.remedy) == ("warning", True)


def test_what_stands_between_the_program_and_its_terminal_is_named() -> None:
    found = by_area(terminal.findings_of(b"\x1b[?62c", {"TERM": "screen", "STY": "1.pts"}))
    assert found["terminal"].text == "screen in screen"
    assert "extended-keys" not in found["keys"].remedy
    found = by_area(terminal.findings_of(b"\x1b[?62c", {"TERM": "tmux", "TMUX": "/tmp/tmux"}))
    assert found["terminal"].text == "tmux in tmux"
    assert "extended-keys" in found["keys"].remedy


@pytest.mark.usefixtures("in_foreground")
def test_a_terminal_that_answers_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terminal, "ANSWER_SECONDS", 0.05)
    assert answered_by(b"") == b""


@pytest.mark.usefixtures("in_foreground")
def test_what_a_hostile_terminal_answers_is_bounded_and_made_visible() -> None:
    answer = answered_by(b"x" * 100 + b"\x1bP>|\x07\x9b31mevil\x1b\\\x1b[?c")
    found = by_area(terminal.findings_of(answer, {"TERM": "xterm"}))
    assert found["keys"].state == "warning"
    assert found["copying"].state == "warning"


def test_in_the_background_the_terminal_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    monkeypatch.setattr("os.tcgetpgrp", lambda _: os.getpgrp() + 1)
    assert terminal.ask_terminal(slave) == b""
    os.close(slave)
    os.close(master)
