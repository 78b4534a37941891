"""The full-text index: FTS5 over the text of finished messages.

The index holds no texts of its own (external content): it reads them from the view
`searchable_messages`, and triggers keep it in step. A reply that streams is indexed once, when it
ends, so that writing it down every moment costs no more than before.

The second column, `scope`, has a word for the conversation (`c12`) and one for the role. A search
within a conversation is then a search for one word more, which FTS5 answers by merging two sorted
lists; a join would look up each of perhaps 100,000 hits.

FTS5 wants the old text taken out before the new one is put in, and SQLite leaves the order of two
triggers of one kind open: so one acts before the change and one after it.
"""

from __future__ import annotations

from typing import Final

_FINISHED: Final = "state NOT IN ('queued', 'streaming')"
_SCOPE: Final = "'c' || {row}conversation || ' ' || {row}role"


def _entry(row: str) -> str:
    return f"{row}.id, {row}.text, {_SCOPE.format(row=f'{row}.')}"


def _finished(row: str) -> str:
    return f"{row}.{_FINISHED}"


def _added(row: str) -> str:
    return f"INSERT INTO message_index (rowid, text, scope) VALUES ({_entry(row)});"


def _removed(row: str) -> str:
    return (
        "INSERT INTO message_index (message_index, rowid, text, scope) "
        f"VALUES ('delete', {_entry(row)});"
    )


SEARCH_INDEX: Final[tuple[str, ...]] = (
    f"""
    CREATE VIEW searchable_messages AS
    SELECT id, text, {_SCOPE.format(row="")} AS scope FROM messages WHERE {_FINISHED}
    """,
    """
    CREATE VIRTUAL TABLE message_index USING fts5 (
        text, scope, content = 'searchable_messages', content_rowid = 'id',
        tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'
    )
    """,
    "INSERT INTO message_index (message_index) VALUES ('rebuild')",
    f"""
    CREATE TRIGGER message_index_insert AFTER INSERT ON messages WHEN {_finished("new")}
    BEGIN {_added("new")} END
    """,
    f"""
    CREATE TRIGGER message_index_delete AFTER DELETE ON messages WHEN {_finished("old")}
    BEGIN {_removed("old")} END
    """,
    f"""
    CREATE TRIGGER message_index_leave BEFORE UPDATE OF text, state, role, conversation ON messages
    WHEN {_finished("old")}
    BEGIN {_removed("old")} END
    """,
    f"""
    CREATE TRIGGER message_index_enter AFTER UPDATE OF text, state, role, conversation ON messages
    WHEN {_finished("new")}
    BEGIN {_added("new")} END
    """,
)
