"""Every error a person or a program can get from gemma-chat.

An error's message is one or two sentences: they name the thing, the limit and the remedy. The
class says what a program may do about it; the text is for the person.
"""

from __future__ import annotations


class GemmaChatError(Exception):
    """The base of all errors raised on purpose by this package.

    Messages often hold a file's name or a value from outside. What does not print (escape
    sequences, undecodable bytes of a name) is made visible, so that a message can be sent over
    the socket and written to a terminal as it is.

        try:
            model = await gemma_chat.load_model("model.gguf")
        except gemma_chat.GemmaChatError as error:
            print(error)
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(visible(arg) if isinstance(arg, str) else arg for arg in args))


class SettingsError(GemmaChatError):
    """A setting, or a settings or theme file, has a value that is not allowed."""


class ModelLoadError(GemmaChatError):
    """A model file cannot be loaded: missing, cut short, not GGUF, or too large for memory."""


class GatedModelError(ModelLoadError):
    """A model's makers want their terms accepted before it is given; `page` is where."""

    def __init__(self, message: str, page: str) -> None:
        super().__init__(message, page)
        self.page = page

    def __str__(self) -> str:
        return str(self.args[0])


class LoadCancelledError(ModelLoadError):
    """Loading a model was given up because the caller asked for it."""


class ModelClosedError(GemmaChatError):
    """The model has been closed; nothing more can be asked of it or of its sessions."""


class SessionClosedError(GemmaChatError):
    """The session has been closed."""


class SessionLimitError(GemmaChatError):
    """As many sessions are open as `max_concurrent_sessions` allows."""


class AdapterError(GemmaChatError):
    """A LoRA adapter cannot be read or does not fit the model."""


class ModalityError(GemmaChatError):
    """An image or audio part was given to a session or model that cannot take it."""


class ContextOverflowError(GemmaChatError):
    """One turn does not fit into the context, even alone."""


class TemplateError(GemmaChatError):
    """A chat template cannot be used and no built-in one stands in for it."""


class ToolError(GemmaChatError):
    """A tool cannot be used as it is given, or a call of it cannot be carried out."""


class EngineCrashedError(GemmaChatError):
    """Native code ended or failed in the middle of a turn."""


class ServerError(GemmaChatError):
    """A chat server cannot be reached, refuses, or answers something that cannot be used.

    It fails one turn. The next one asks the server anew.
    """


class StoreError(GemmaChatError):
    """The database of conversations cannot be opened, read or written."""


class ExchangeError(GemmaChatError):
    """A conversation cannot be written to a file, or a file holds none that can be read."""


class HostError(GemmaChatError):
    """The host process cannot be started or reached, or answered something unexpected."""


class ProtocolError(HostError):
    """A message between terminal and host was damaged, too large or of another version."""


def visible(text: str) -> str:
    """`text` with each character that does not print, line ends aside, as its escape."""
    return "".join(
        letter
        if letter.isprintable() or letter == "\n"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )
