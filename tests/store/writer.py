"""A process that answers questions until it is killed: `python writer.py DATABASE`.

It prints the number of each message it has finished, and a dot for each piece it has streamed.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.store.store import Store


def main(database: Path) -> None:
    store = Store.open(database)
    session = store.create(SessionSettings(), title="Written to the end").session
    for turn in itertools.count(1):
        question = store.add_message(
            session, turn=turn, role="user", text=f"question {turn}", state="complete"
        )
        print(question.message, flush=True)
        reply = store.add_message(session, turn=turn, role="assistant", state="streaming")
        text = ""
        for piece in range(20):
            text += f"{turn}.{piece} "
            store.save_reply(reply.message, turn, text, ()).result()
            print(".", flush=True)
        store.finish_message(reply.message, state="complete")
        print(reply.message, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
