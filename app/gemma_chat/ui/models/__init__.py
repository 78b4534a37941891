"""Choosing, downloading and switching models."""
