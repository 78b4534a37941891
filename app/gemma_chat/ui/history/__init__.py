"""The history: all conversations, open and closed, found by what was said in them."""
