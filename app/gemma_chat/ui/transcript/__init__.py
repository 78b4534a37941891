"""The transcript of one conversation: a virtualised view that follows a streaming reply."""

from gemma_chat.ui.transcript.widget import Transcript

__all__ = ["Transcript"]
