"""Typed settings: what can be set, what is allowed, where the files are."""
