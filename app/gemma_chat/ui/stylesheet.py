"""Textual's stylesheet with a memory: how something looks is worked out once, not at each change.

Textual matches a widget, and each part that it paints itself, against all rules again whenever a
class, the focus or the mouse changes something above it; a side panel is some two hundred such
nodes. But all that a rule can ask for lies on the way from the program down to the node: types,
classes, identifiers and states. So the rules that were found for such a path hold for every node
with the same one, and nothing has to be done for a node whose path is what it was before.

What a rule may ask for beside that, the place among the neighbours (`:first-child`, `:even`, …), is
left to Textual each time. `tests/ui/test_stylesheet.py` holds every look against Textual's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from textual.app import App
from textual.cache import LRUCache
from textual.css.model import Selector, SelectorType
from textual.css.styles import RenderStyles, RulesMap
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

_OF_PLACE: Final = frozenset(
    {"first-of-type", "last-of-type", "first-child", "last-child", "odd", "even", "empty"}
)
_OF_PROGRAM: Final = ("dark", "light", "inline", "ansi", "nocolor")
"""States of the whole program, which stand at the head of every path."""
_MOST_SOURCES: Final = 1_000
"""Textual keeps the parsed rules of 64 classes: with one more it would parse all of them anew
whenever a widget of a new class comes."""
_MOST_PATHS: Final = 20_000
"""More paths than any session comes to; with more the memory begins anew."""

_Check = Callable[[Any], bool]
_Kind = tuple[type[DOMNode], frozenset[str], str | None]
"""Type, classes and identifier of a node."""


class _Look(NamedTuple):
    """What was found for a path."""

    rules: RulesMap
    has_hover_style: bool


class RememberingStylesheet(Stylesheet):
    """Takes the place of the stylesheet of an app, with the same variables."""

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._parse_cache = LRUCache(_MOST_SOURCES)
        self._numbers: dict[tuple[object, ...], int] = {}
        """A number for each path; that of the way above stands in the key."""
        self._looks: dict[int, _Look] = {}
        self._shown: WeakKeyDictionary[DOMNode, int] = WeakKeyDictionary()
        """The path for which a node got its look."""
        self._checks: dict[_Kind, tuple[_Check, ...]] = {}
        self._stateful: tuple[Selector, ...] = ()
        """All that ask for a state."""
        self._named: frozenset[str] = frozenset()
        """The identifiers that some rule asks for; nodes with others look alike."""
        self._walked: dict[DOMNode, int] | None = None
        """The paths that were found in the update that is under way."""

    def parse(self) -> None:
        super().parse()
        self._forget()

    def reparse(self) -> None:
        super().reparse()
        self._forget()

    def _forget(self) -> None:
        """The rules are others: begin anew."""
        self._numbers.clear()
        self._looks.clear()
        self._shown.clear()
        self._checks.clear()
        selectors = [
            selector
            for rule in self._rules
            for selectors in rule.selector_set
            for selector in selectors.selectors
        ]
        self._stateful = tuple(one for one in selectors if one.pseudo_classes)
        self._named = frozenset(one.name for one in selectors if one.type is SelectorType.ID)

    def update_nodes(self, nodes: Iterable[DOMNode], animate: bool = False) -> None:
        self._walked = {}
        try:
            super().update_nodes(nodes, animate)
        finally:
            self._walked = None

    def apply(
        self,
        node: DOMNode,
        *,
        animate: bool = False,
        cache: dict[tuple[Any, ...], RulesMap] | None = None,
    ) -> None:
        # Asking for the rules parses what is new, and what was known of the old ones is forgotten.
        if not self.rules or len(self._numbers) > _MOST_PATHS:
            self._forget()
        path = self._path_of(node)
        if self._shown.get(node) == path:
            return
        look = self._looks.get(path)
        if look is None:
            self._work_out(node, path, animate=animate)
            return
        node._has_hover_style = look.has_hover_style
        node._has_focus_within = node._has_order_style = node._has_odd_or_even = False
        self._shown[node] = path
        if look.rules:
            self.replace_rules(node, look.rules, animate=animate)
        self._process_component_classes(node)

    def _work_out(self, node: DOMNode, path: int, *, animate: bool) -> None:
        """Let Textual do it, and keep what it found unless that depends on the neighbours."""
        found: dict[tuple[Any, ...], RulesMap] = {}
        super().apply(node, animate=animate, cache=found)
        if node._has_order_style or node._has_odd_or_even:
            return
        self._shown[node] = path
        # What it finds where a rule asks for the focus within, Textual keeps to itself.
        if found or not node._has_focus_within:
            rules = next(iter(found.values()), RulesMap())
            self._looks[path] = _Look(rules, node._has_hover_style)

    def _path_of(self, node: DOMNode) -> int:
        """The number of the path to this node in its present state."""
        walked = self._walked
        if walked is not None and (known := walked.get(node)) is not None:
            return known
        parent = node._parent
        above = self._path_of(parent) if isinstance(parent, DOMNode) else 0
        kind = (type(node), node.classes, node.id if node.id in self._named else None)
        checks = self._checks.get(kind)
        if checks is None:
            checks = self._checks[kind] = self._checks_of(node)
        own = (above, kind, tuple(check(node) for check in checks))
        path = self._numbers.setdefault(own, len(self._numbers) + 1)
        if walked is not None:
            walked[node] = path
        return path

    def _checks_of(self, node: DOMNode) -> tuple[_Check, ...]:
        """How to find out the states that some rule asks for of such a node."""
        asked = {
            state
            for selector in self._stateful
            if _may_mean(selector, node)
            for state in selector.pseudo_classes
        } - _OF_PLACE
        if isinstance(node, App):
            asked.update(_OF_PROGRAM)
        else:
            asked.difference_update(_OF_PROGRAM)
        return tuple(check for name, check in node._PSEUDO_CLASSES.items() if name in asked)

    def _process_component_classes(self, node: DOMNode) -> None:
        if not node._get_component_classes():
            return
        before = node._component_styles
        parts = _Parts(self, node)
        node._component_styles = parts
        if any(parts[name] != styles for name, styles in before.items()):
            node.refresh()


def _may_mean(selector: Selector, node: DOMNode) -> bool:
    """Whether a selector fits such a node in some state."""
    match selector.type:
        case SelectorType.TYPE:
            return selector.name in node._css_type_names
        case SelectorType.CLASS:
            return selector.name in node.classes
        case SelectorType.ID:
            return selector.name == node.id
        case _:
            return True


class _Parts(dict[str, RenderStyles]):
    """How the parts look that a widget paints itself; worked out when they are asked for."""

    def __init__(self, stylesheet: Stylesheet, node: DOMNode) -> None:
        super().__init__()
        self._stylesheet = stylesheet
        self._node = node

    def __contains__(self, name: object) -> bool:
        return name in self._node._get_component_classes()

    def __missing__(self, name: str) -> RenderStyles:
        part = DOMNode(classes=name)
        part._attach(self._node)
        self._stylesheet.apply(part)
        self[name] = part.styles
        return part.styles
