"""What a tab must hold in which one person changes what was said.

Whatever was answered is there. A change without an answer may be there or not, and nothing in
between: so there may be more than one right transcript until somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.faults.ledger import UNFINISHED

from gemma_chat.host.protocol import MessageView
from gemma_chat.host.views import UNTITLED

Said = tuple[str, ...]
"""The questions of a transcript, in order."""
Change = Callable[[Said], Said]


@dataclass
class Rewritten:
    """One tab that only one person writes in."""

    said: set[Said] = field(default_factory=lambda: {()})
    titles: set[str] = field(default_factory=lambda: {UNTITLED})

    def change(self, change: Change, *, sure: bool) -> None:
        """The transcript was changed; perhaps, where nobody can be sure."""
        changed = {change(one) for one in self.said}
        self.said = changed if sure else self.said | changed

    def rename(self, title: str, *, sure: bool) -> None:
        """The tab has another title; perhaps, where nobody can be sure."""
        self.titles = {title} if sure else self.titles | {title}

    def faults(self, transcript: Sequence[MessageView], title: str) -> list[str]:
        """What is wrong with the tab at a moment when nothing runs; what is seen is sure now."""
        said = tuple(view.text for view in transcript if view.role == "user")
        numbers = [view.message for view in transcript]
        faults = [f"{view.message} is {view.state}" for view in _unfinished(transcript)]
        if said not in self.said:
            faults.append(f"the questions are {said}, not {' or '.join(map(str, self.said))}")
        if title not in self.titles:
            faults.append(f"the title is {title!r}, not {' or '.join(map(repr, self.titles))}")
        if numbers != sorted(set(numbers)):
            faults.append(f"the order is {numbers}")
        self.said, self.titles = {said}, {title}
        return faults


def _unfinished(transcript: Sequence[MessageView]) -> Iterable[MessageView]:
    return (view for view in transcript if view.state in UNFINISHED)
