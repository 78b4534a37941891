"""`gemma-chat ask`: one question, its reply, its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import Shell
from tests.host.rig import Rig, running
from tests.remote.scripted import ScriptedServer
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.cli.ask_options import AskSettings
from gemma_chat.cli.asking import Asking
from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SAMPLING_FIELDS
from gemma_chat.config.settings import Settings, SummarizerSettings
from gemma_chat.errors import GemmaChatError, HostError
from gemma_chat.host.model_source import ServerModel, loader
from gemma_chat.store.store import Store

pytestmark = pytest.mark.usefixtures("engine")


def kept() -> list[tuple[str, list[str]]]:
    """The stored conversations with their texts."""
    store = Store.open(Paths.default().database)
    found = [
        (one.title, [message.text for message in store.messages(one.session)])
        for one in store.conversations()
    ]
    store.close()
    return found


def test_a_reply_is_printed_and_nothing_is_left_behind(shell: Shell) -> None:
    done = shell("ask", "What", "is", "the", "sea?")
    assert (done.exit_code, done.stdout) == (0, "1: What is the sea?\n")
    assert not Paths.default().database.exists()


def test_what_is_piped_in_stands_before_the_question(
    engine: ScriptedEngine, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PIPED], input="some notes\n", capture_output=True, text=True
    )
    assert done.stdout == "some notes\n\nSummarise"


PIPED = (
    "import sys\n"
    "from gemma_chat.cli.ask_question import question_from\n"
    "sys.stdout.write(question_from(['Summarise'], [], sys.stdin))"
)


def test_a_file_is_put_before_the_question_between_fences(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text("```\ncode\n```\n")
    done = shell("ask", "-f", str(file), "Explain")
    assert "notes.md:\n````\n```\ncode\n```\n````\n\nExplain" in done.stdout


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * (9 * 1024 * 1024)])
def test_a_file_that_is_no_text_or_too_large_is_a_sentence(
    shell: Shell, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "blob"
    file.write_bytes(content)
    error = shell("ask", "-f", str(file), "Explain").exception
    assert isinstance(error, GemmaChatError)
    assert "blob" in str(error)


def test_without_a_question_the_command_line_is_wrong(shell: Shell) -> None:
    assert shell("ask").exit_code == 2


def test_every_sampling_setting_is_an_option(shell: Shell) -> None:
    text = shell("ask", "--help").output
    for field in SAMPLING_FIELDS:
        assert f"--{field.name.replace('_', '-')}" in text


def test_settings_reach_the_model(shell: Shell, engine: ScriptedEngine) -> None:
    shell("ask", "-s", "Be brief.", "-p", "greedy", "--top-k", "7", "--stop", "END", "Go")
    sampling = engine.samplings[-1]
    assert (sampling.temperature, sampling.top_k, sampling.stop) == (0.0, 7, ("END",))
    assert engine.prompts[-1][0].text == "Be brief."


def test_a_schema_or_a_grammar_comes_from_a_file(
    shell: Shell, engine: ScriptedEngine, tmp_path: Path
) -> None:
    schema, grammar = tmp_path / "schema.json", tmp_path / "yes.gbnf"
    schema.write_text('{"type": "boolean"}')
    grammar.write_text('root ::= "yes"')
    shell("ask", "--schema", str(schema), "Is it?")
    assert engine.samplings[-1].json_schema == '{"type": "boolean"}'
    shell("ask", "--grammar", str(grammar), "Is it?")
    assert engine.samplings[-1].grammar == 'root ::= "yes"'
    both = shell("ask", "--grammar", str(grammar), "--schema", str(schema), "Is it?")
    assert "leave one of them out" in str(both.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--temperature", "hot", "x"), "a number from 0 to 5"),
        (("--top-k", "-3", "x"), "a whole number"),
        (("--nothing", "x"), "No such option"),
    ],
)
def test_a_wrong_option_is_exit_code_2(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    done = shell("ask", *arguments)
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-p", "nope", "x"), "The presets are"),
        (("--grammar", "/nowhere.gbnf", "x"), "cannot be read"),
        (("-c", "nobody", "x"), "no conversation called 'nobody'"),
        (("-c", "", "   "), "Say what to ask"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(
    shell: Shell, arguments: tuple[str, ...], said: str
) -> None:
    done = shell("ask", *arguments)
    assert said in f"{done.exception} {done.output}"
    assert done.exit_code != 0


def test_json_is_one_event_a_line(shell: Shell) -> None:
    lines = [json.loads(line) for line in shell("ask", "--json", "Hi there").stdout.splitlines()]
    assert [line["event"] for line in lines][:2] == ["session", "text"]
    assert lines[-1]["event"] == "finished"
    assert lines[-1]["reason"] == "stop"
    pieces = [line["text"] for line in lines if line["event"] == "text"]
    assert "".join(pieces) == lines[-1]["text"] == "1: Hi there"


def test_without_streaming_json_is_the_end_alone(shell: Shell) -> None:
    done = shell("ask", "--json", "--no-stream", "Hi")
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == [
        "session",
        "finished",
    ]


def test_a_reply_that_is_cut_short_has_an_exit_code_of_its_own(shell: Shell) -> None:
    assert shell("ask", "--max-output-tokens", "1", "a b c d e f").exit_code == 4


def test_a_turn_that_fails_is_a_sentence(shell: Shell, engine: ScriptedEngine) -> None:
    engine.fail_next_begin(GemmaChatError("It does not fit."))
    assert "It does not fit." in str(shell("ask", "Hi").exception)


def test_control_characters_of_a_model_are_made_visible(shell: Shell) -> None:
    assert shell("ask", "\x1b[31mred").stdout == "1: \\x1b[31mred\n"


def test_a_conversation_can_be_kept_and_gone_on_with(shell: Shell, engine: ScriptedEngine) -> None:
    shell("ask", "-k", "First question")
    engine.closed = 0
    assert shell("ask", "-c", "first", "Second question").exit_code == 0
    assert kept() == [
        (
            "First question",
            ["First question", "1: First question", "Second question", "2: Second question"],
        )
    ]


def test_ctrl_c_keeps_what_there_is_of_a_kept_conversation(smollm2_path: Path) -> None:
    command = [sys.executable, "-m", "gemma_chat.cli.main", "-m", str(smollm2_path)]
    asking = subprocess.Popen(
        [*command, "ask", "-k", "--temperature", "0", "Tell a very long story."],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert asking.stdout is not None
    begun = os.read(asking.stdout.fileno(), 1)
    asking.send_signal(signal.SIGINT)
    _, said = asking.communicate(timeout=60)
    assert (asking.returncode, said) == (130, b"")
    [(_, texts)] = kept()
    assert texts[1].startswith(begun.decode())


def test_a_reader_that_goes_away_ends_it_quietly(smollm2_path: Path) -> None:
    command = [sys.executable, "-m", "gemma_chat.cli.main", "-m", str(smollm2_path)]
    asking = subprocess.Popen(
        [*command, "ask", "--temperature", "0", "Tell a very long story."],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert asking.stdout is not None
    os.read(asking.stdout.fileno(), 1)
    asking.stdout.close()
    assert asking.wait(timeout=60) == 141
    assert asking.stderr is not None
    assert asking.stderr.read() == b""


# ---------------------------------------------------------------- a running host


@asynccontextmanager
async def host_on(server: ScriptedServer) -> AsyncIterator[Rig]:
    """A running host, as a command finds it, whose model is on `server`."""
    paths = Paths.default()
    paths.make_folders()
    settings = Settings(summarizer=SummarizerSettings(enabled=False))
    async with running(paths.socket.parent, settings=settings, load=False) as rig:
        rig.service._slot._load_model = loader(settings, rig.folder)
        rig.service.load(ServerModel(server.url))
        terminal = await rig.connect()
        await terminal.model("ready")
        yield rig


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    server.close()


@pytest.mark.parametrize(
    "names", [{}, {"server_model": "scripted-model"}], ids=["the server", "its model too"]
)
async def test_the_server_that_the_running_host_uses_may_be_named(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], names: dict[str, str]
) -> None:
    async with host_on(server) as rig:
        asked = asking(server=f"{server.url}/", keep=True, **names)
        assert await asked.run() == 0
        assert [one.title for one in rig.store.conversations()] == ["Hello"]
    assert capsys.readouterr().out == "You said: Hello\n"


async def test_another_server_than_the_running_hosts_keeps_no_conversation(
    server: ScriptedServer,
) -> None:
    async with host_on(server):
        for other in ({"server": "http://127.0.0.1:9"}, {"server_model": "another"}):
            with pytest.raises(HostError, match="Leave -m and --server away"):
                await asking(**{"server": server.url, **other}, keep=True).run()


def asking(*, server: str, server_model: str = "", keep: bool) -> Asking:
    return Asking(
        paths=Paths.default(),
        model=None,
        server=server,
        server_model=server_model,
        question="Hello",
        settings=AskSettings(sampling={}),
        conversation="",
        keep=keep,
        as_json=False,
        stream=True,
    )
