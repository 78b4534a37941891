"""`gemma-chat bench`: the table, the JSON, wrong command lines, and Ctrl+C."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_chat.cli import bench_run
from gemma_chat.cli.bench_text import report_text
from gemma_chat.cli.commands import cli
from gemma_chat.cli.main import main
from gemma_chat.engine.bench.figures import (
    Figure,
    LeftOut,
    Machine,
    Report,
    Round,
    Subject,
    Target,
    figure,
)
from gemma_chat.engine.bench.names import NAMES, Name
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.tick import Tick
from gemma_chat.engine.interface import EngineOptions

FAST = figure(
    "decode-256",
    "decode at depth 256, greedy",
    unit="tok/s",
    rounds=[Round.of(58.0, 59.0), Round.of(57.0, 57.5)],
    target=Target("ratio", ">=", 0.97),
    baseline_title="bare llama_decode",
)
SLOW = figure(
    "switch",
    "A→B→A of 1500 tokens",
    unit="s",
    rounds=[Round.of(0.5, 0.25)],
    target=Target("ratio", "<=", 1.15),
)
SMALL = figure(
    "idle",
    "an idle conversation",
    unit="bytes",
    rounds=[Round(19_400)],
    target=Target("measured", "<=", 100_000),
)


def report(*figures: Figure, **others: object) -> Report:
    fields = {
        "program": "1.2.3",
        "quick": False,
        "rounds": 2,
        "seconds": 12.0,
        "interrupted": False,
        "subject": SUBJECT,
        "machine": MACHINE,
        "figures": figures,
        "left_out": (),
    }
    return Report(**(fields | others))  # type: ignore[arg-type]


SUBJECT = Subject(
    name="Tiny\x1b[31m",
    path="/models/tiny.gguf",
    architecture="llama",
    parameters=135_000_000,
    weights_bytes=90_000_000,
    context_size=8192,
    sliding_window=0,
    threads=2,
    safe_mode="",
)
MACHINE = Machine(
    system="Linux 6", processor="A processor", cores=2, memory_bytes=8 * 10**9, load=0.1
)


def shell(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["bench", *arguments], prog_name="gemma-chat")


# ---------------------------------------------------------------- the table


def test_a_line_has_value_baseline_spread_target_and_verdict() -> None:
    text = report_text(report(FAST), width=200)
    line = next(line for line in text.splitlines() if line.startswith("decode"))
    cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
    assert cells == [
        "decode at depth 256, greedy",
        "57.5 tok/s",
        "58.2 tok/s",
        "0.987 (0.983 to 0.991)",
        "≥ 0.97",
        "✓ reached",
    ]
    assert "against bare llama_decode" in text


def test_a_missed_target_is_marked_by_sign_and_word() -> None:
    text = report_text(report(SLOW, FAST), width=200)
    assert "✗ missed" in text
    assert "1 of 2 targets reached" in text


def test_columns_stand_under_their_headings() -> None:
    lines = report_text(report(FAST, SLOW, SMALL), width=200).splitlines()
    heading = next(line for line in lines if line.startswith("figure"))
    at = heading.index("target")
    assert {line[at] for line in lines if "reached" in line and " of " not in line} == {"≥", "≤"}


def test_a_narrow_terminal_gets_a_paragraph_for_each_figure() -> None:
    text = report_text(report(FAST, SMALL), width=60)
    assert "decode at depth 256, greedy: ✓ reached" in text
    assert "  ratio 0.987 (0.983 to 0.991), target ≥ 0.97" in text
    assert "  19 kB\n  target ≤ 100 kB" in text


def test_what_the_output_cannot_encode_is_written_with_simpler_signs() -> None:
    text = report_text(report(FAST, SLOW), width=200, encoding="ascii")
    assert text.isascii()
    assert ">= 0.97" in text
    assert "! missed" in text


def test_names_from_a_file_cannot_send_escape_sequences() -> None:
    assert "\x1b" not in report_text(report(FAST), width=200)


def test_what_lowers_the_worth_of_figures_is_said() -> None:
    busy = Machine(system="", processor="", cores=2, memory_bytes=1, load=4.2)
    left = LeftOut("lookup", "this version has no prompt lookup")
    text = report_text(report(FAST, quick=True, machine=busy, left_out=(left,)), width=200)
    assert "quick: fewer rounds" in text
    assert "load 4.2 on 2 cores" in text
    assert "left out: lookup: this version has no prompt lookup" in text


# ---------------------------------------------------------------- wrong command lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rounds", "0"), "--rounds"),
        (("--rounds", "-3"), "--rounds"),
        (("--rounds", "9" * 30), "--rounds"),
        (("--rounds", "many"), "--rounds"),
        (("--tabs", "0"), "--tabs"),
        (("--only", "everything"), "decode"),
        (("--only", ""), "decode"),
        (("surplus",), "surplus"),
    ],
)
def test_a_wrong_command_line_is_refused_with_what_is_allowed(
    arguments: tuple[str, ...], said: str
) -> None:
    refused = shell(*arguments)
    assert refused.exit_code == 2
    assert said in refused.output


def test_help_names_every_measurement() -> None:
    words = shell("--help").output.replace(",", " ").replace(".", " ").split()
    assert set(NAMES) <= set(words)


@pytest.mark.parametrize(
    ("name", "content"),
    [("missing.gguf", None), ("notes.gguf", b"Dear diary"), ("cut.gguf", b"GGUF\x03\0\0\0")],
)
def test_a_wrong_model_is_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr("sys.argv", ["gemma-chat", "bench", "--quick", "--model", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert name in error
    assert "Traceback" not in error


# ---------------------------------------------------------------- running

Found = Figure | LeftOut
Measure = Callable[[Rig, Plan, Collection[Name], Callable[[Name], None], Tick], Iterator[Found]]


class NoRig:
    """Stands in for a loaded model."""

    def __init__(self, path: Path, options: EngineOptions, scratch: Path) -> None:
        assert scratch.is_dir()

    def close(self) -> None:
        """Nothing is loaded."""


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, smollm2_path: Path) -> Callable[[Measure], None]:
    """Lets the command run without a model, with the figures of a script."""

    def use(measure: Measure) -> None:
        monkeypatch.setattr(bench_run, "Rig", NoRig)
        monkeypatch.setattr(bench_run, "describe_subject", lambda _: SUBJECT)
        monkeypatch.setattr(bench_run, "choose_model", lambda *_: smollm2_path)
        monkeypatch.setattr(bench_run, "measure", measure)

    return use


def interrupted(
    rig: Rig, plan: Plan, only: Collection[Name], begin: Callable[[Name], None], tick: Tick
) -> Iterator[Found]:
    begin("decode")
    yield FAST
    raise KeyboardInterrupt


def test_interrupting_shows_what_was_measured_by_then(
    scripted: Callable[[Measure], None],
) -> None:
    scripted(interrupted)
    shown = shell()
    assert shown.exit_code == 130
    assert "decode at depth 256" in shown.stdout
    assert "interrupted" in shown.stdout


def test_interrupted_json_is_still_one_object(scripted: Callable[[Measure], None]) -> None:
    scripted(interrupted)
    found = json.loads(shell("--json").stdout)
    assert found["interrupted"] is True
    assert [one["name"] for one in found["figures"]] == ["decode-256"]


def test_missed_targets_are_no_failure_of_the_command(
    scripted: Callable[[Measure], None],
) -> None:
    scripted(lambda *_: iter([SLOW]))
    shown = shell()
    assert shown.exit_code == 0
    assert "missed" in shown.stdout


def test_options_reach_the_plan_and_a_line_is_written_for_each_measurement(
    scripted: Callable[[Measure], None],
) -> None:
    plans: list[Plan] = []

    def record(
        rig: Rig, plan: Plan, only: Collection[Name], begin: Callable[[Name], None], tick: Tick
    ) -> Iterator[Found]:
        plans.append(plan)
        for name in only:
            begin(name)
            tick()
        yield SMALL

    scripted(record)
    shown = shell("--rounds", "2", "--tabs", "7", "--only", "tabs", "--only", "fork")
    assert (plans[0].rounds, plans[0].replays, plans[0].tabs) == (2, 2, 7)
    assert shown.stderr.splitlines()[1:] == ["1/2 fork", "2/2 tabs"]


def test_a_real_quick_run_gives_every_round_as_json(
    short_smollm2_path: Path, own_home: Path
) -> None:
    CliRunner().invoke(cli, ["config", "set", "model.threads", "1"])
    shown = shell(
        *(
            "--quick",
            "--rounds",
            "1",
            "--only",
            "fork",
            "--json",
            "--model",
            str(short_smollm2_path),
        )
    )
    assert shown.exit_code == 0
    found = json.loads(shown.stdout)
    assert found["quick"] is True
    assert found["subject"]["path"] == str(short_smollm2_path)
    assert [one["name"] for one in found["figures"]] == ["fork", "fork-bytes"]
    assert all(len(one["rounds"]) == 1 for one in found["figures"])
    assert not list((own_home / "cache").glob("bench-*"))
