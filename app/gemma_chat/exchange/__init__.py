"""Conversations as files: written for people and other programs, read from them."""
