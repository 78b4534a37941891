"""Many concurrent chat sessions on one local model.

    async with await gemma_chat.load_model("model.gguf") as model:
        session = await model.open_session(system_instruction="Answer as a pirate.")
        print(await session.get_response("What is the sea?"))

`gemma_chat.sync` is the same without `await`. Importing this package loads nothing else: each name
is loaded when it is first used, so that a shell command or a screen pays only for what it needs.
Type checkers read the names from `__init__.pyi`.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = {
    "gemma_chat.errors": (
        "AdapterError",
        "ContextOverflowError",
        "EngineCrashedError",
        "GemmaChatError",
        "HostError",
        "LoadCancelledError",
        "ModalityError",
        "ModelClosedError",
        "ModelLoadError",
        "ProtocolError",
        "ServerError",
        "SessionClosedError",
        "SessionLimitError",
        "SettingsError",
        "StoreError",
        "TemplateError",
        "ToolError",
    ),
    "gemma_chat.config.sampling": ("SamplingSettings", "SessionSettings"),
    "gemma_chat.engine.interface": ("MemoryFigures", "ModelDescription", "ToolCall", "ToolSpec"),
    "gemma_chat.sessions.loading": ("load_model",),
    "gemma_chat.sessions.connecting": ("connect_server",),
    "gemma_chat.sessions.model": ("InferenceModel",),
    "gemma_chat.sessions.session": ("Message", "Session"),
    "gemma_chat.sessions.options": ("Dry", "Xtc"),
    "gemma_chat.sessions.chat": ("Chat",),
    "gemma_chat.sessions.chat_turn": ("ChatTurn",),
    "gemma_chat.sessions.tool_policy": ("ToolPolicy",),
    "gemma_chat.sessions.turn": ("Turn",),
    "gemma_chat.tools.tool": ("Tool",),
    "gemma_chat.tools.functions": ("function_tool",),
    "gemma_chat.sessions.history": ("HistoryMessage", "ToolResult"),
    "gemma_chat.sessions.lock": ("GenerationLock",),
    "gemma_chat.sessions.events": ("LockEntry", "LockEvent", "Piece", "TurnResult", "TurnsDropped"),
    "gemma_chat.sessions.metrics": ("SessionTotals", "TurnMetrics"),
    "gemma_chat.sessions.summarizer": ("Summarizer",),
    "gemma_chat.sessions.summary": ("SummarizerSettings", "Summary", "SummaryMessage"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", "sync", *_HOMES]


def __getattr__(name: str) -> object:
    if name == "sync":
        return import_module("gemma_chat.sync")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
