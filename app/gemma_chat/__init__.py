"""Many concurrent chat sessions on one local model."""

__version__ = "0.1.0"
