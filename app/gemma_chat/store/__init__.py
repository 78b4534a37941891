"""Conversations, messages and all that belongs to them, in one SQLite file."""
