"""The library without `await`: the same calls, for programs that have no event loop.

    with gemma_chat.sync.load_model("model.gguf") as model:
        session = model.open_session(max_output_tokens=30)
        for piece in session.get_response_async("What is the sea?"):
            print(piece, end="")

A thread of its own runs the loop of a model. The calls may come from any other thread; a call that
is interrupted (control-c) stops its turn. Settings, messages, results, figures and errors are those
of `gemma_chat`, where each call is described in full.
"""

from gemma_chat.sync.chat import Chat
from gemma_chat.sync.model import InferenceModel, connect_server, load_model, model_on
from gemma_chat.sync.session import Session
from gemma_chat.sync.turn import ChatTurn, Turn

__all__ = [
    "Chat",
    "ChatTurn",
    "InferenceModel",
    "Session",
    "Turn",
    "connect_server",
    "load_model",
    "model_on",
]
