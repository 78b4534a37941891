"""Many concurrent chat sessions on one local model.

The weights are loaded once. Each session has its own history, settings and place in memory; one
generates at a time, the others wait in the order in which they asked.

    import gemma_chat

    model = await gemma_chat.load_model("model.gguf", context_size=1024)
    pirate = await model.open_session(system_instruction="Answer as a pirate.", temperature=1.0)
    tutor = await model.open_session(system_instruction="Be brief.", max_output_tokens=20)
    print(await tutor.get_response("What is the sea?"))
    async for piece in pirate.get_response_async("What is the sea?"):
        print(piece, end="")
        if "sea" in piece:
            break  # A stream that is given up stops its turn within a token.
    print(model.sessions, tutor.metrics, tutor.totals)

A question may come in parts, turns may be queued, and each session goes back, branches and changes
its settings without evaluating again what it has evaluated.

    await tutor.add_query_chunk("Sea, ship, sail. ")
    turn = tutor.start_turn("Which is the largest?")
    await tutor.stop_generation()
    print((await turn.finished()).reason, turn.text)
    branch = await tutor.fork()
    await branch.rewind(1)
    branch.settings = gemma_chat.SessionSettings(sampling=model.recommended_settings)
    print(branch.history, branch.context_used, model.size_in_tokens("What is the sea?"))

A reply can be made to follow a JSON schema or a GBNF grammar; it then parses, or its turn ended
with the reason `length`.

    colour = {"type": "object", "properties": {"name": {"enum": ["red", "blue"]}}}
    print(await tutor.get_response("Name a colour.", json_schema=colour))

A chat is a session whose history can be stored and restored, and which carries out tools: functions
with annotations and a docstring.

    def weather(city: str) -> str:
        '''Tell the weather of a city.'''
        return f"It is sunny in {city}."

    chat = await model.open_chat(tools=[weather], max_output_tokens=20)
    print(await chat.get_response("How is the weather in Oslo?"))
    stored = chat.history
    await chat.close()
    chat = await model.open_chat(history=stored)

The one-lane way keeps a single session: a second call closes the first.

    chat = await model.create_chat(temperature=0)
    assert model.session is chat.session
    await model.close()

With a projector a session takes images and recordings; a LoRA adapter belongs to one session.

    model = await gemma_chat.load_model("gemma.gguf", projector_path="mmproj.gguf")
    session = await model.open_session(lora_path="pirate.gguf", enable_thinking=True)
    await session.add_query_chunk(gemma_chat.Message("What is this?", images=["cat.png"]))
    print(await session.get_response())

`gemma_chat.connect_server` gives the same model on a chat server, and `gemma_chat.sync` has the
same calls without `await`:

    with gemma_chat.sync.load_model("model.gguf", context_size=512) as model:
        print(model.open_session(max_output_tokens=8).get_response("What is the sea?"))

Every error is a `GemmaChatError` whose message names the thing, the limit and the remedy:
`ModelLoadError`, `SettingsError`, `SessionLimitError`, `AdapterError`, `ModalityError`, `ToolError`
when something cannot be had; `ContextOverflowError`, `EngineCrashedError`, `ServerError` when a
turn fails; `SessionClosedError`, `ModelClosedError` when it is too late.

Importing this package loads nothing else: each name is loaded when it is first used, so that a
shell command or a screen pays only for what it needs. Type checkers read the names from
`__init__.pyi`.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = {
    "gemma_chat.errors": (
        "AdapterError",
        "ContextOverflowError",
        "EngineCrashedError",
        "ExchangeError",
        "GatedModelError",
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
    "gemma_chat.config.logit_bias": ("LogitBias",),
    "gemma_chat.engine.interface": (
        "Media",
        "MemoryFigures",
        "ModelDescription",
        "ToolCall",
        "ToolSpec",
    ),
    "gemma_chat.sessions.loading": ("LoadOptions", "load_model"),
    "gemma_chat.sessions.connecting": ("ServerConnectOptions", "connect_server"),
    "gemma_chat.sessions.model": ("InferenceModel",),
    "gemma_chat.sessions.session": ("Message", "Session"),
    "gemma_chat.sessions.options": ("Dry", "ReplyRules", "SessionOptions", "Xtc"),
    "gemma_chat.sessions.chat": ("Chat",),
    "gemma_chat.sessions.chat_turn": ("ChatTurn",),
    "gemma_chat.sessions.tool_policy": ("ToolPolicy",),
    "gemma_chat.sessions.turn": ("Turn",),
    "gemma_chat.tools.tool": ("Tool",),
    "gemma_chat.tools.functions": ("function_tool",),
    "gemma_chat.sessions.history": ("HistoryMessage", "ToolResult"),
    "gemma_chat.sessions.replacement": ("Digest", "Replacement"),
    "gemma_chat.sessions.context_view": ("ContextPart", "ContextView"),
    "gemma_chat.sessions.lock": ("GenerationLock",),
    "gemma_chat.sessions.events": (
        "LockEntry",
        "LockEvent",
        "LockPicture",
        "Piece",
        "TurnResult",
        "TurnsDropped",
    ),
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
