"""Everything that touches llama.cpp: weights, vocabulary, template, KV memory, sampling.

Nothing in this room knows of asyncio, sessions, storage or screens.
"""
