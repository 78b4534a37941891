"""`gemma-chat ask`: one question, its reply, its exit code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.cli.conftest import Shell, loaded_always
from tests.host.rig import Rig, running
from tests.projectors import picture, tone
from tests.remote.scripted import ScriptedServer
from tests.sessions.scripted import Said, ScriptedEngine

from gemma_chat.cli.ask_options import AskSettings
from gemma_chat.cli.ask_output import AskOutput
from gemma_chat.cli.asking import Asking, _follow
from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SAMPLING_FIELDS, SamplingSettings, SessionSettings
from gemma_chat.config.settings import Settings, SummarizerSettings
from gemma_chat.config.tools import ToolSettings
from gemma_chat.engine.interface import ChatMessage, ReplyPart, ToolCall
from gemma_chat.errors import GemmaChatError, HostError
from gemma_chat.host.model_source import ServerModel, loader
from gemma_chat.host.protocol import (
    Event,
    LockChanged,
    LockView,
    SessionChanged,
    SessionView,
    ToolQuestion,
    ToolUse,
    TurnFinished,
    TurnMetrics,
    TurnText,
)
from gemma_chat.quantities import MB
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


def test_what_is_piped_in_can_be_such_a_file(shell: Shell) -> None:
    done = shell("ask", "-f", "-", "Explain", stdin="some notes\n")
    assert "stdin:\n```\nsome notes\n```\n\nExplain" in done.stdout


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


def settings_of_kept() -> SessionSettings:
    """The settings of the one stored conversation."""
    store = Store.open(Paths.default().database)
    [found] = store.conversations()
    store.close()
    return found.settings


def test_thinking_and_an_adapter_are_settings_of_the_conversation(
    shell: Shell, engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pirate.gguf").touch()
    monkeypatch.chdir(tmp_path)
    shell("ask", "-k", "--lora", "pirate.gguf", "--lora-scale", "0.5", "--thinking", "One")
    settings = settings_of_kept()
    assert (settings.lora_path, settings.lora_scale) == (str(tmp_path / "pirate.gguf"), 0.5)
    assert (settings.enable_thinking, settings.thinking_budget) == (True, None)
    for arguments, thinks, budget, adapter in (
        (("--no-thinking", "--lora", ""), False, None, ""),
        (("--thinking-budget", "64"), True, 64, ""),
        (("--no-thinking",), False, 64, ""),
        (("--thinking", "--thinking-budget", ""), True, None, ""),
    ):
        engine.closed = 0
        assert shell("ask", "-c", "1", *arguments, "Go on").exit_code == 0
        settings = settings_of_kept()
        assert (settings.enable_thinking, settings.thinking_budget) == (thinks, budget)
        assert settings.lora_path == adapter


def test_an_adapter_that_does_not_fit_is_a_sentence(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "wrong.gguf").touch()
    done = shell("ask", "--lora", str(tmp_path / "wrong.gguf"), "x")
    assert done.exit_code == 1
    assert "wrong.gguf does not fit" in str(done.exception)


def test_a_model_that_cannot_be_told_to_think_answers_without_and_that_is_said(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = loaded_always(ScriptedEngine(thinks=False), monkeypatch)
    for arguments, told in (
        (("--thinking",), True),
        (("--thinking-budget", "9"), True),
        ((), False),
    ):
        done = shell("ask", *arguments, "x")
        assert (done.exit_code, done.stdout) == (0, "1: x\n")
        assert ("scripted cannot be told to think" in done.stderr) == told
        engine.closed = 0


def test_images_and_recordings_reach_a_model_that_takes_them(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = loaded_always(ScriptedEngine(modalities=("image", "audio")), monkeypatch)
    cat, ping = tmp_path / "cat.png", tmp_path / "ping.wav"
    cat.write_bytes(picture(1))
    ping.write_bytes(tone(1))
    done = shell("ask", "-a", str(cat), "--attach", str(ping), "What is this?")
    assert (done.exit_code, done.stdout) == (0, "1: What is this?\n")
    assert [(one.kind, one.data) for one in engine.media[-1]] == [
        ("image", cat.read_bytes()),
        ("audio", ping.read_bytes()),
    ]
    engine.closed = 0
    assert shell("ask", "-a", str(cat)).exit_code == 0
    assert [one.kind for one in engine.media[-1]] == ["image"]
    engine.closed = 0
    assert shell("ask", "-a", "-", "Who is this?", stdin=picture(1)).stdout == "1: Who is this?\n"
    assert [one.data for one in engine.media[-1]] == [cat.read_bytes()]


def test_a_model_that_takes_no_images_says_so(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(picture(1))
    done = shell("ask", "-a", str(tmp_path / "cat.png"), "What is this?")
    assert done.exit_code == 1
    assert "image" in str(done.exception)
    assert "projector" in str(done.exception)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no picture", "PNG, JPEG, WebP, WAV, MP3 or FLAC"),
        (b"\x89PNG\r\n\x1a\n", "cat.png"),
        (b"x" * (20 * MB + 1), "at most 20 MB are taken"),
        (None, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_attached_is_a_sentence(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    loaded_always(ScriptedEngine(modalities=("image",)), monkeypatch)
    if content is not None:
        (tmp_path / "cat.png").write_bytes(content)
    error = shell("ask", "-a", str(tmp_path / "cat.png"), "x").exception
    assert isinstance(error, GemmaChatError)
    assert said in str(error)


def test_too_many_attachments_are_refused_before_anything_is_loaded(
    shell: Shell, engine: ScriptedEngine, tmp_path: Path
) -> None:
    (tmp_path / "cat.png").write_bytes(picture(1))
    many = ["-a", str(tmp_path / "cat.png")] * 9
    assert "at most 8 are taken" in str(shell("ask", *many, "x").exception)
    assert engine.prompts == []


def thinker(messages: Sequence[ChatMessage], _: SamplingSettings) -> Said:
    """A thought in two pieces, and the answer."""
    return [ReplyPart("thinking", "Hm, "), ReplyPart("thinking", "noon."), "It is", " noon."]


def test_thoughts_are_events_of_their_own_and_no_part_of_the_reply(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = loaded_always(ScriptedEngine(thinker), monkeypatch)
    lines = [json.loads(line) for line in shell("ask", "--json", "What time?").stdout.splitlines()]
    told = [line["text"] for line in lines if line["event"] == "thinking"]
    assert "".join(told) == lines[-1]["thinking"] == "Hm, noon."
    assert lines[-1]["text"] == "It is noon."
    engine.closed = 0
    assert shell("ask", "What time?").stdout == "It is noon.\n"


def test_tool_calls_are_events_with_their_result(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = ToolUse(at=0, name="clock")
    with AskOutput(as_json=True, stream=True) as output:
        output.aside(0, waiting)
        output.aside(0, msgspec.structs.replace(waiting, outcome="answered", result="noon"))
        output.finished(TurnFinished(1, 1, "stop", TurnMetrics()))
    *told, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["event"], one["name"], one["outcome"]) for one in told] == [
        ("tool_call", "clock", "waiting"),
        ("tool_call", "clock", "answered"),
    ]
    assert [one["result"] for one in last["tool_calls"]] == ["noon"]


@pytest.mark.parametrize(("as_json", "stream"), [(False, True), (False, False), (True, False)])
async def test_what_there_is_of_a_reply_is_written_when_the_host_dies(
    capsys: pytest.CaptureFixture[str], as_json: bool, stream: bool
) -> None:
    events: asyncio.Queue[Event | GemmaChatError] = asyncio.Queue()
    events.put_nowait(TurnText(1, 1, 2, 0, "It is al"))
    events.put_nowait(HostError("The host has ended the connection."))
    output = AskOutput(as_json=as_json, stream=stream)
    with output, pytest.raises(HostError, match="has ended"):
        await _follow(1, 1, events, output, others=True)
    written = capsys.readouterr().out
    if as_json:
        last = json.loads(written)
        assert (last["event"], last["reason"], last["text"]) == ("finished", "closed", "It is al")
    else:
        assert written == "It is al\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--temperature", "hot", "x"), "a number from 0 to 5"),
        (("--thinking-budget", "0", "x"), "a whole number from 1"),
        (("--lora-scale", "99", "x"), "a number from -10 to 10"),
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
        (("--lora", "/nowhere.gguf", "x"), "There is no adapter /nowhere.gguf"),
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


def test_a_call_that_nobody_can_allow_ends_the_question_with_a_sentence(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    Paths.default().make_folders()
    store = Store.open(Paths.default().database)
    tools = ToolSettings(sources=("calculator",))
    store.create(SessionSettings(tools=tools), title="Sums")
    store.close()
    call = ReplyPart("tool_call", call=ToolCall("", "calculator", '{"expression": "1"}'))
    loaded_always(ScriptedEngine(lambda messages, sampling: [call]), monkeypatch)
    error = shell("ask", "-c", "Sums", "What is 1?").exception
    assert isinstance(error, HostError)
    assert "wants to call calculator, and nobody can allow that here" in str(error)
    assert kept() == [("Sums", ["What is 1?", ""])]


async def test_a_call_that_waits_for_an_answer_in_the_tab_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events: asyncio.Queue[Event | GemmaChatError] = asyncio.Queue()
    view = SessionView(1, "Sums", SessionSettings(), 0, asking=(ToolQuestion(1, "add", "{}"),))
    for event in (
        SessionChanged(view),
        SessionChanged(view),
        TurnFinished(1, 1, "stop", TurnMetrics()),
    ):
        events.put_nowait(event)
    output = AskOutput(as_json=False, stream=True)
    assert await _follow(1, 1, events, output, others=True) == 0
    assert capsys.readouterr().err.count("wants to call add, and waits until") == 1


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
    _, said = asking.communicate(timeout=120)
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
    assert asking.wait(timeout=120) == 141
    assert asking.stderr is not None
    assert asking.stderr.read() == b""


# ---------------------------------------------------------------- a running host


async def test_whatever_ends_a_question_withdraws_its_turn_from_the_host() -> None:
    paths = Paths.default()
    paths.make_folders()
    reader, pipe = os.pipe()
    async with running(paths.socket.parent) as rig:
        rig.engine.gate.hold()
        watching = await rig.connect()
        watching.aside = {1, 2}

        def turns() -> int:
            """How many wait or run."""
            told = (one.lock for one in reversed(watching.events) if isinstance(one, LockChanged))
            lock = next(told, LockView())
            return len(lock.waiting) + (lock.holder is not None)

        asked = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gemma_chat.cli.main", "ask", "-k", "Hello"),
                stdin=subprocess.DEVNULL,
                stdout=pipe,
            )
            for _ in watching.aside
        ]
        os.close(pipe)
        await watching.until(lambda: turns() == 2)
        asked[0].terminate()
        assert await asked[0].wait() == 128 + signal.SIGTERM
        await watching.until(lambda: turns() == 1)
        os.close(reader)
        assert await asked[1].wait() == 128 + signal.SIGPIPE
        await watching.until(lambda: turns() == 0)


@asynccontextmanager
async def host_on(server: ScriptedServer) -> AsyncIterator[Rig]:
    """A running host, as a command finds it, whose model is on `server`."""
    paths = Paths.default()
    paths.make_folders()
    settings = Settings(summarizer=SummarizerSettings(enabled=False))
    async with running(paths.socket.parent, settings=settings, load=False) as rig:
        rig.service._slot._load_model = loader(lambda: settings, rig.folder)
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
        settings=AskSettings(numbers={}),
        conversation="",
        keep=keep,
        as_json=False,
        stream=True,
    )
