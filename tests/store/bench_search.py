"""How long a search takes over 100,000 messages, beside the same search without the index.

Run: python tests/store/bench_search.py [--messages N]
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.store.records import NewMessage
from gemma_chat.store.store import Store

CONVERSATIONS = 500
WORDS = [f"{start}{end}" for start in ("ka", "lu", "mi", "to", "re") for end in range(1000, 5000)]
QUERIES = {
    "a frequent word": "ka1001",
    "a rare word": "re4999",
    "two words": "ka1001 ka1002",
    "the first letters of many words": "k",
    "words in quotation marks": '"ka1001 ka1002"',
    "nothing there": "absent",
}


def fill(store: Store, messages: int) -> None:
    source = random.Random(1)
    each = messages // CONVERSATIONS
    for number in range(CONVERSATIONS):
        store.library.add(
            f"Conversation {number}",
            SessionSettings(),
            (
                NewMessage(
                    role="assistant" if at % 2 else "user",
                    text=" ".join(
                        WORDS[int(source.paretovariate(0.6)) % len(WORDS)] for _ in range(40)
                    ),
                )
                for at in range(each)
            ),
        )


def milliseconds(call: Callable[[], object], rounds: int = 7) -> float:
    """The median of some rounds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    count = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conversations.db"
        store = Store.open(path)
        fill(store, count)
        plain = sqlite3.connect(path)
        print(f"{count} messages, {path.stat().st_size / 1e6:.0f} MB; medians in milliseconds")
        print(f"{'query':34}{'search':>9}{'one tab':>9}{'LIKE':>9}")
        for name, query in QUERIES.items():
            like = f"%{query.split()[0].strip(chr(34))}%"
            baseline = milliseconds(
                lambda like=like: plain.execute(
                    "SELECT id, text FROM messages WHERE text LIKE ? ORDER BY id DESC LIMIT 50",
                    (like,),
                ).fetchall()
            )
            search = milliseconds(lambda query=query: store.library.search(query))
            narrowed = milliseconds(
                lambda query=query: store.library.search(query, session=7, role="assistant")
            )
            print(f"{name:34}{search:9.2f}{narrowed:9.2f}{baseline:9.2f}")
        plain.close()
        store.close()


if __name__ == "__main__":
    main()
