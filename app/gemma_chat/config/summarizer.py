"""What the summarizer tells a model by default, in the library and in the host alike."""

from __future__ import annotations

SUMMARY_INSTRUCTION = "You summarize conversations in one or two short sentences."

# Models of 135M parameters continue a conversation they are shown; the form of the examples is
# what makes them name it instead.
TITLE_QUESTION = """\
Give each conversation a short title.

Conversation: How long do I have to boil eggs? And soft ones?
Title: Boiling eggs

Conversation: My bicycle chain keeps falling off when I go uphill.
Title: Bicycle chain falls off

Conversation: {questions}
Title:"""
"""`{questions}` stands for what the person said."""
