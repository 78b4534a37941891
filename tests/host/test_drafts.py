"""Every terminal has a draft of its own in every tab, and none is lost when it goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host import drafts as module
from gemma_chat.host.drafts import Drafts, joined
from gemma_chat.store.store import Store

ANNE, BERT, CLEO = 101, 102, 103


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store.in_memory()
    yield store
    store.close()


@pytest.fixture
def tab(store: Store) -> int:
    return store.create(SessionSettings()).session


@pytest.fixture
def drafts(store: Store) -> Drafts:
    return Drafts(store)


def test_two_drafts_in_one_tab_are_kept_both(store: Store, drafts: Drafts, tab: int) -> None:
    assert drafts.save(tab, ANNE, "alpha", "here")
    assert drafts.save(tab, BERT, "beta", "here")
    assert store.conversation(tab).draft == "alpha\n\nbeta"
    for client in (ANNE, BERT):
        drafts.leave(client)
    assert store.conversation(tab).draft == "alpha\n\nbeta"


def test_what_one_sends_leaves_the_others_draft(store: Store, drafts: Drafts, tab: int) -> None:
    drafts.save(tab, ANNE, "alpha", "here")
    drafts.save(tab, BERT, "beta", "here")
    assert drafts.save(tab, ANNE, "", "here")
    assert store.conversation(tab).draft == "beta"
    assert not drafts.save(tab, BERT, "beta", "here")


def test_who_goes_on_with_what_was_left_takes_it_over(
    store: Store, drafts: Drafts, tab: int
) -> None:
    drafts.save(tab, ANNE, "alpha", "here")
    drafts.leave(ANNE)
    drafts.save(tab, BERT, "beta", "here")
    assert store.conversation(tab).draft == "alpha\n\nbeta"
    drafts.save(tab, CLEO, "alpha, and more", "from_the_hosts")
    assert store.conversation(tab).draft == "beta\n\nalpha, and more"
    drafts.save(tab, CLEO, "", "here")
    assert store.conversation(tab).draft == "beta"


def test_what_was_left_and_sent_by_another_is_gone(store: Store, drafts: Drafts, tab: int) -> None:
    store.set_draft(tab, "from yesterday")
    drafts.save(tab, ANNE, "", "from_the_hosts")
    assert store.conversation(tab).draft == ""


def test_terminals_that_tell_again_after_the_host_was_gone_double_nothing(
    store: Store, tab: int
) -> None:
    store.set_draft(tab, "alpha\n\nleft\n\nbeta")
    drafts = Drafts(store)
    drafts.save(tab, ANNE, "alpha", "here")
    drafts.save(tab, BERT, "beta", "here")
    assert store.conversation(tab).draft == "left\n\nalpha\n\nbeta"
    drafts.save(tab, ANNE, "", "here")
    drafts.save(tab, BERT, "", "here")
    assert store.conversation(tab).draft == "left"


def test_a_closed_tab_keeps_its_draft(store: Store, drafts: Drafts, tab: int) -> None:
    drafts.save(tab, ANNE, "alpha", "here")
    drafts.forget(tab)
    drafts.save(tab, BERT, "beta", "here")
    assert store.conversation(tab).draft == "alpha\n\nbeta"


def test_a_draft_that_another_goes_on_with_is_not_kept_twice() -> None:
    assert joined(["alpha", "alpha beta", "alpha", " ", ""]) == "alpha beta"
    assert joined(["alpha", "alpha"]) == "alpha"


def test_together_they_are_no_longer_than_one_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MESSAGE_CHARACTERS", 10)
    assert joined(["alpha", "betabeta", "c"]) == "alpha\n\nc"


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([ANNE, BERT, CLEO]),
            st.text("ab\n ", max_size=6),
            st.booleans(),
        )
    )
)
@example([(ANNE, "a\n", True), (BERT, "a", False)])
@example([(ANNE, "\na", True), (BERT, "a", False)])
def test_no_draft_of_anybody_is_ever_lost(store: Store, steps: list[tuple[int, str, bool]]) -> None:
    tab = store.create(SessionSettings()).session
    drafts, newest, gone = Drafts(store), dict[int, str](), set[int]()
    for client, text, leaves in steps:
        drafts.save(tab, client, text, "here")
        # A terminal that lost its line tells again what it had typed, as another client: whoever
        # comes with the very text that somebody left behind is taken for them.
        newest = {one: draft for one, draft in newest.items() if one not in gone or draft != text}
        newest[client] = text
        gone.discard(client)
        if leaves:
            drafts.leave(client)
            gone.add(client)
        kept = store.conversation(tab).draft
        assert all(draft in kept for draft in newest.values() if draft.strip())
