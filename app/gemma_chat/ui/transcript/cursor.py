"""The message on which the cursor stands."""

from __future__ import annotations

from gemma_chat.ui.transcript.rows import MessageRows


class MessageCursor:
    """Marks one message of `MessageRows`, or none; `message` is 0 then."""

    def __init__(self, rows: MessageRows) -> None:
        self._rows = rows
        self.message = 0

    def move(self, step: int, top: int, height: int) -> int:
        """Go so many messages down; from nowhere, to the last one in view. Returns the message."""
        if self._rows.entry(self.message) is not None:
            target = self._rows.neighbour(self.message, step)
        else:
            target = self._last_in_view(top, height)
        self.put(target)
        return target

    def put(self, message: int) -> None:
        """Stand on a message; on none with 0, or when it is not there."""
        for number, selected in ((self.message, False), (message, True)):
            entry = self._rows.entry(number)
            if entry is not None:
                entry.is_selected = selected
        self.message = message if self._rows.entry(message) is not None else 0

    def restore(self) -> bool:
        """The rows hold other messages now. Returns whether the cursor has lost its own."""
        before = self.message
        self.put(before)
        return self.message != before

    def top_for(self, top: int, height: int) -> int:
        """The row to be at the top so that the message is in view, moving as little as possible.

        One that is taller than the view is shown from its beginning.
        """
        entry = self._rows.entry(self.message)
        if entry is None:
            return top
        start = self._rows.start_of(self.message)
        end = start + entry.height
        if start < top or entry.height > height:
            return start
        return max(top, end - height)

    def _last_in_view(self, top: int, height: int) -> int:
        for row in range(top + height - 1, top - 1, -1):
            found = self._rows.at(row)
            if found is not None:
                return found[0].number
        return 0
