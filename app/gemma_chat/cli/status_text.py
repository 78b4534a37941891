"""The host's status as lines for a person."""

from __future__ import annotations

import time

from gemma_chat.cli.output import one_line
from gemma_chat.host.protocol import LockEntry, ModelView, Status
from gemma_chat.quantities import byte_size, counted


def status_text(status: Status) -> str:
    """What `gemma-chat host status` prints."""
    minutes, seconds = divmod(int(time.time() - status.started), 60)
    lines = [
        f"host      pid {status.pid}, up {minutes} min {seconds} s",
        f"model     {_model(status.model)}",
        *([f"memory    {_memory(status.model)}"] if not status.model.server else []),
        f"tabs      {status.sessions} open, {terminals(status)}",
        *(f"lock      {_holder(holder)}" for holder in status.lock.holders or (None,)),
    ]
    if status.lock.waiting:
        lines.append("waiting   " + ", ".join(_name(entry) for entry in status.lock.waiting))
    if status.summarizer.paused:
        lines.append("summaries paused")
    return "\n".join(lines)


def terminals(status: Status) -> str:
    """How many terminals are attached, and whether the host would stay without them."""
    count = counted(status.clients, "terminal")
    return f"{count}; detached: it stays when nobody is attached" if status.stays else count


def status_row(profile: str, status: Status | None, problem: str = "") -> tuple[str, ...]:
    """One line of `gemma-chat host status --all`."""
    if status is None:
        return (profile, problem or "no host")
    replies = sum(not one.background for one in (*status.lock.holders, *status.lock.waiting))
    return (
        profile,
        f"pid {status.pid}",
        status.model.name or status.model.phase,
        counted(status.sessions, "tab"),
        counted(status.clients, "terminal"),
        f"{counted(replies, 'reply', 'replies')} under way",
        "detached" if status.stays else "",
    )


def _model(model: ModelView) -> str:
    if model.phase == "none":
        return "none"
    if model.phase == "failed":
        return f"failed: {model.error}"
    if model.phase == "loading":
        if model.server:
            return f"connecting to {model.server}"
        return f"{model.path}, loading, {model.progress:.0%}"
    mode = f", {model.safe_mode}" if model.safe_mode else ""
    return f"{model.name} ({model.server or model.path}), context {model.context_size} tokens{mode}"


def _memory(model: ModelView) -> str:
    parts = (
        ("weights", model.weights_bytes),
        ("KV resident", model.kv_resident_bytes),
        ("KV saved", model.kv_saved_bytes),
        ("process", model.process_bytes),
    )
    return ", ".join(f"{name} {byte_size(size)}" for name, size in parts)


def _holder(holder: LockEntry | None) -> str:
    if holder is None:
        return "free"
    if holder.phase == "prefill" and not holder.prompt_total:
        return f"{_name(holder)}, begins"
    if holder.phase == "prefill":
        return f"{_name(holder)}, reading {holder.prompt_done}/{holder.prompt_total} tokens"
    return f"{_name(holder)}, {holder.generated} tokens, {holder.tokens_per_second:.1f} tok/s"


def _name(entry: LockEntry) -> str:
    name = one_line(entry.name)
    return name if entry.background else f"{entry.session} {name}"
