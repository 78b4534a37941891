"""Which message is at which row, when heights change all the time.

A Fenwick tree over the heights: changing one, adding one at the end and finding the message at a
row take O(log n), so a token costs the same in a conversation of ten messages and of ten thousand.

Invariant: `tree[i]` is the sum of the heights of the `i & -i` entries that end with entry `i - 1`.
"""

from __future__ import annotations

from collections.abc import Iterable


class HeightIndex:
    """Heights in rows, by place, with their running sums."""

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        self._tree = [0, *self._heights]
        for index in range(1, len(self._tree)):
            parent = index + (index & -index)
            if parent < len(self._tree):
                self._tree[parent] += self._tree[index]
        self._total = sum(self._heights)

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, place: int) -> int:
        return self._heights[place]

    @property
    def total(self) -> int:
        """The height of everything."""
        return self._total

    def set(self, place: int, height: int) -> int:
        """Give one entry another height. Returns by how much it grew."""
        delta = height - self._heights[place]
        if delta:
            self._heights[place] = height
            self._total += delta
            index = place + 1
            while index < len(self._tree):
                self._tree[index] += delta
                index += index & -index
        return delta

    def append(self, height: int) -> None:
        """Add an entry at the end."""
        self._heights.append(height)
        index = len(self._heights)
        start = index - (index & -index)
        self._tree.append(height + self.offset(index - 1) - self.offset(start))
        self._total += height

    def offset(self, place: int) -> int:
        """The row at which an entry begins: the sum of the heights before it."""
        total = 0
        while place > 0:
            total += self._tree[place]
            place &= place - 1
        return total

    def locate(self, row: int) -> tuple[int, int]:
        """The entry that holds a row, and the row within it.

        Rows before the first count as its first, rows after the last as one past the last entry.
        """
        if not self._heights or row < 0:
            return 0, 0
        place = 0
        left = row
        step = 1 << (len(self._heights).bit_length() - 1)
        while step:
            after = place + step
            if after < len(self._tree) and self._tree[after] <= left:
                place = after
                left -= self._tree[after]
            step >>= 1
        return place, left
