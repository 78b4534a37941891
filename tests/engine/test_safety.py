"""What a machine can run is found out in a child process and remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gemma_chat.config.paths import Paths
from gemma_chat.engine import safety
from gemma_chat.engine.interface import EngineOptions
from gemma_chat.errors import ModelLoadError

SIGSEGV, SIGILL = -11, -4


class Machine:
    """Stands for the child processes: each mode ends with the code that the test says."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.tried: list[safety.Mode] = []

    def __call__(self, path: Path, mode: safety.Mode) -> int:
        self.tried.append(mode)
        return self.codes.pop(0)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(safety, "_try", machine)
    return machine


def test_a_machine_that_survives_runs_at_full_speed(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine(0), monkeypatch)
    assert safety.safe_mode(model, EngineOptions()) == safety.Mode()
    assert len(machine.tried) == 1


def test_a_crash_leads_to_the_next_safer_mode_and_is_named(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Machine(SIGSEGV, 0), monkeypatch)
    mode = safety.safe_mode(model, EngineOptions())
    assert not mode.use_extra_bufts
    assert mode.threads == 0
    assert "repacked" in mode.words


def test_modes_are_tried_in_the_order_buffers_threads_gpu(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine(SIGSEGV, SIGILL, SIGSEGV, 0), monkeypatch)
    safety.safe_mode(model, EngineOptions(gpu_layers=20))
    assert [(m.use_extra_bufts, m.threads, m.gpu_layers) for m in machine.tried] == [
        (True, 0, 20),
        (False, 0, 20),
        (False, 1, 20),
        (False, 1, 0),
    ]


def test_what_was_found_is_remembered_for_this_build_processor_and_model(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine(SIGSEGV, 0, 0), monkeypatch)
    first = safety.safe_mode(model, EngineOptions())
    assert safety.safe_mode(model, EngineOptions()) == first
    assert len(machine.tried) == 2
    model.write_bytes(b"GGUF another model")
    assert safety.safe_mode(model, EngineOptions()) == safety.Mode()


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"x": 1}', "\xff", "null"])
def test_a_damaged_record_is_written_anew(
    model: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    record = Paths.default().cache_dir / "safe-modes.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_bytes(damage.encode("latin-1"))
    on(Machine(SIGSEGV, 0), monkeypatch)
    safety.safe_mode(model, EngineOptions())
    assert len(json.loads(record.read_text())) >= 1


def test_a_record_of_a_mode_that_does_not_exist_is_not_believed(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine(0, 0), monkeypatch)
    safety.safe_mode(model, EngineOptions())
    record = Paths.default().cache_dir / "safe-modes.json"
    known = json.loads(record.read_text())
    for entry in known.values():
        entry["threads"] = 999
    record.write_text(json.dumps(known))
    assert safety.safe_mode(model, EngineOptions()).threads == 0
    assert len(machine.tried) == 2


def test_a_cache_that_cannot_be_written_costs_only_time(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = Paths.default().cache_dir
    if blocked.exists():
        blocked.rename(blocked.with_name("aside"))
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("not a folder")
    on(Machine(0), monkeypatch)
    assert safety.safe_mode(model, EngineOptions()) == safety.Mode()


def test_a_processor_on_which_nothing_runs_is_a_sentence_with_a_remedy(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Machine(SIGILL, SIGILL, SIGILL), monkeypatch)
    with pytest.raises(ModelLoadError, match=r"SIGILL.*llama-cpp-python"):
        safety.safe_mode(model, EngineOptions())


def test_an_explicit_choice_is_not_tried_first(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine(), monkeypatch)
    assert safety.safe_mode(model, EngineOptions(use_extra_bufts=True)).use_extra_bufts
    assert not safety.safe_mode(model, EngineOptions(use_extra_bufts=False)).use_extra_bufts
    assert machine.tried == []


@pytest.mark.parametrize(("layers", "on_gpu"), [(0, False), (-1, True), (5, True)])
def test_any_number_of_layers_but_none_uses_the_gpu(layers: int, on_gpu: bool) -> None:
    assert safety.Mode(gpu_layers=layers).uses_gpu is on_gpu


def test_the_child_process_decodes_and_imports_nothing_from_the_folder_it_is_started_in(
    smollm2_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(99)")
    monkeypatch.chdir(tmp_path)
    mode = safety.safe_mode(smollm2_path, EngineOptions())
    assert safety._try(smollm2_path, mode) == 0
