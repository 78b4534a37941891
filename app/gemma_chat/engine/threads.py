"""How many threads compute: a choice that follows what is measured while running.

Threads that wait for each other are slower than fewer threads as soon as another program takes a
core: on two cores, two threads decode a fifth faster than one while the machine is quiet, and a
third slower while one other process is busy. So a neighbouring number is tried for a step or two
now and then, at once when the present one has become clearly slower, and taken when it is clearly
faster. `Context` sees to it that logits do not depend on the number of threads.

Pure: nothing here knows llama.cpp or looks at a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

_SHARE = 0.01
"""The share of all steps that may be lost by trying other numbers."""
_HALVINGS = 3
"""How often that share is halved, once for each try in vain, while all threads are in use. A
program that takes a core then announces itself by a sudden slowness; one that gives a core back
announces itself by nothing, so with fewer threads in use the share stays.
"""
_MOST_CREDIT = 4.0
_MOST_DEBT = 3.0
"""Lost steps after which even a sudden slowness has to wait for credit."""
_WINDOW = 16
_ENOUGH = 2
"""Steps that must be known of the present number before another one is compared with it."""
_TRIMMED = 4
"""From so many steps on the longest is left out of their mean."""
_SLOWER = 1.5
"""The rise in time a step, over the last few, that is a sudden slowness."""
_SUDDEN = 4
_HOPELESS = 1.5
"""The time of a first step, against the usual, after which no second one is tried."""
_FASTER = 0.95
"""What another number must need at most, of the present one's time, to be taken."""
_FASTER_ALONE = 0.85
"""The same for one thread in place of several. A screen that is drawn now and then holds up steps
of several threads, and their mean looks worse than it will be; a process that takes a core costs
far more.
"""
_ASIDE = 5.0
"""Seconds without a step after which the machine may be another."""
_SMALL_BATCH = 16
"""Up to this many tokens a batch spends its time like a single token, not like prefill."""
_MANY_CORES = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """How a number of threads is tried, in steps.

    A number is judged after `probe` steps, and when it looks better tried for `trial` more.
    `credit` is what may be lost at the beginning, before any of it is earned.
    """

    probe: int
    trial: int
    credit: float


DECODE = Pace(probe=2, trial=6, credit=2.0)
PREFILL = Pace(probe=1, trial=1, credit=0.0)
"""Micro-batches are few and long: none is risked before many have shown the usual time."""


class ThreadTuner:
    """Chooses the number of threads for one kind of step.

    Args:
        counts: the numbers to choose from, ascending; the last one is where it begins. With a
            single one nothing is ever tried.
        pace: how others are tried.
    """

    def __init__(self, counts: Sequence[int], pace: Pace) -> None:
        self._counts = tuple(counts)
        self._pace = pace
        self._at = len(self._counts) - 1
        self._recent: deque[float] = deque(maxlen=_WINDOW)
        # A step must cost nothing here, for it comes when nothing of Python is in the CPU's caches.
        # So two bounds are kept, and what they bound is looked at only when one is passed.
        self._least = 0.0
        """None of the recent steps was shorter."""
        self._price = 0.0
        """No try is affordable with less credit."""
        self._tried: int | None = None
        self._trial: list[float] = []
        self._losses: dict[int, float] = {}
        self._last_tries: dict[int, int] = {}
        self._tries = 0
        self._credit = pace.credit
        self._in_vain = 0
        self._alarmed = False
        self._doubted = False
        """The machine slowed down all at once, and no other number was taken since."""

    @property
    def threads(self) -> int:
        """The number for the next step."""
        return self._counts[self._at if self._tried is None else self._tried]

    @property
    def settled(self) -> int:
        """The number found best so far, whatever is being tried."""
        return self._counts[self._at]

    def record(self, seconds: float) -> None:
        """Take in how long a step with `threads` threads took; all steps must be alike."""
        if len(self._counts) == 1:
            return
        if self._tried is not None:
            self._judge(self._tried, seconds)
            return
        self._recent.append(seconds)
        self._credit = min(self._credit + self._share, _MOST_CREDIT)
        if seconds < self._least:
            self._least = seconds
        elif seconds > _SLOWER * self._least and self._has_slowed():
            self._doubt()
        if self._alarmed or (self._credit >= self._price and len(self._recent) >= _ENOUGH):
            self._try_another()

    def rest(self) -> None:
        """The machine was left to others for a while: what is known of it is old.

        Debts stay: where a try was very costly, not every turn begins with one.
        """
        self._recent.clear()
        self._losses.clear()
        self._price = 0.0
        self._in_vain = 0
        self._tried = None
        self._credit = max(self._credit, min(self._credit + 1.0, self._pace.credit))

    # ------------------------------------------------------------ the present number

    def _has_slowed(self) -> bool:
        # Nearly always enough: a sudden slowness is seen at a step that is slow itself.
        self._least = min(self._recent)
        if self._recent[-1] <= _SLOWER * self._least:
            return False
        if len(self._recent) < _TRIMMED + _SUDDEN:
            return False
        return median(self._latest()) > self._slow

    @property
    def _slow(self) -> float:
        """Seconds of a step from which on it is slow, by those before the latest."""
        return _SLOWER * median(list(self._recent)[:-_SUDDEN])

    def _latest(self) -> list[float]:
        return list(self._recent)[-_SUDDEN:]

    def _doubt(self) -> None:
        """What was measured before the machine slowed down says nothing any more."""
        slow = self._slow
        self._recent = deque((step for step in self._latest() if step > slow), maxlen=_WINDOW)
        self._losses.clear()
        self._last_tries.clear()
        self._price = 0.0
        self._in_vain = 0
        self._alarmed = self._doubted = self._credit > -_MOST_DEBT

    # ------------------------------------------------------------ another number

    def _try_another(self) -> None:
        """Begin to try the neighbour tried least recently, if that is affordable; fewer first."""
        neighbours = [at for at in (self._at - 1, self._at + 1) if 0 <= at < len(self._counts)]
        chosen = min(neighbours, key=lambda at: self._last_tries.get(at, 0))
        self._price = self._losses.get(chosen, self._least_loss)
        if not self._alarmed and self._credit < self._price:
            return
        self._price = 0.0
        self._alarmed = False
        self._tries += 1
        self._last_tries[chosen] = self._tries
        self._tried = chosen
        self._trial.clear()

    @property
    def _share(self) -> float:
        all_in_use = self._at == len(self._counts) - 1
        return _SHARE / 2**self._in_vain if all_in_use else _SHARE

    @property
    def _least_loss(self) -> float:
        """What a try counts at least, so that equals are not tried all the time."""
        return 0.25 * self._pace.probe

    def _judge(self, tried: int, seconds: float) -> None:
        self._trial.append(seconds)
        usual = _typical(self._recent)
        steps = len(self._trial)
        if steps < self._pace.probe and seconds <= _HOPELESS * usual:
            return
        wanted = _FASTER_ALONE if self._counts[tried] == 1 else _FASTER
        if _typical(self._trial) > wanted * usual:
            lost = max(sum(self._trial) / usual - steps, 0.0) if usual > 0 else 0.0
            self._credit -= lost
            self._losses[tried] = max(lost, self._least_loss)
            self._in_vain = min(self._in_vain + 1, _HALVINGS)
            self._tried = None
        elif steps >= self._pace.probe + self._pace.trial:
            self._take(tried, usual)

    def _take(self, tried: int, before: float) -> None:
        slower = before / max(_typical(self._trial), 1e-9) - 1
        self._losses = {self._at: max(self._pace.probe * slower, self._least_loss)}
        self._recent = deque(self._trial, maxlen=_WINDOW)
        self._least = self._price = 0.0
        # What slowed the machine down may have been over before the trial was: the number that was
        # left is looked at once more, and at once.
        self._alarmed, self._doubted = self._doubted, False
        if self._alarmed:
            self._last_tries = {2 * tried - self._at: self._tries}
        self._at = tried
        self._in_vain = 0
        self._tried = None


class ThreadPlan:
    """The numbers of threads of one context, for decoding and for prefill.

    Args:
        counts: the numbers to choose from, ascending.
        micro_batch: tokens of a full prefill step, the only ones compared with each other.
    """

    def __init__(self, counts: Sequence[int], micro_batch: int) -> None:
        self._decode = ThreadTuner(counts, DECODE)
        self._prefill = ThreadTuner(counts, PREFILL)
        self._micro_batch = micro_batch
        self._last = 0.0

    def threads(self, tokens: int) -> int:
        """How many threads are to evaluate a batch of so many tokens."""
        if tokens == 1:
            return self._decode.threads
        if tokens <= _SMALL_BATCH:
            return self._decode.settled
        return self._prefill.threads if tokens == self._micro_batch else self._prefill.settled

    def record(self, tokens: int, start: float, end: float) -> None:
        """Take in when a batch began and ended, in seconds of any one clock."""
        if start - self._last > _ASIDE:
            self._decode.rest()
            self._prefill.rest()
        self._last = end
        if tokens == 1:
            self._decode.record(end - start)
        elif tokens == self._micro_batch:
            self._prefill.record(end - start)


def thread_counts(cores: int) -> tuple[int, ...]:
    """The numbers worth trying on a machine with so many physical cores."""
    if cores <= _MANY_CORES:
        return tuple(range(1, max(cores, 1) + 1))
    some = {1, cores // 4, cores // 2, cores * 3 // 4, cores - 1, cores}
    return tuple(sorted(some))


def _typical(times: Sequence[float] | deque[float]) -> float:
    """The mean without the longest: one step may be held up by anything."""
    count = len(times)
    if count < _TRIMMED:
        return sum(times) / count
    return (sum(times) - max(times)) / (count - 1)
