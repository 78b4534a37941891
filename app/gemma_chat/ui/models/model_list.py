"""The list of models: headings that cannot be chosen, and a cursor that stays where it was."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from gemma_chat.ui.models.lines import (
    DownloadLine,
    FileLine,
    Heading,
    Line,
    OfferLine,
    TypedLine,
    drawn,
)


class ModelList(OptionList):
    """One line for each model. The keyboard stays in the field above it."""

    DEFAULT_CSS = """
    ModelList, ModelList:focus {
        width: 1fr; height: 1fr; border: none; padding: 0; background: transparent;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        text-wrap: nowrap; text-overflow: clip;
    }
    ModelList > .option-list--option { padding: 0; }
    ModelList > .option-list--option-disabled { color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__(compact=True, markup=False)
        self.can_focus = False
        self._shown: tuple[Line, ...] = ()
        self._contents: list[Content] = []

    @property
    def line(self) -> Line | None:
        """The line with the cursor."""
        at = self.highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def fill(
        self,
        lines: Sequence[Line],
        *,
        loaded: str,
        chosen: str,
        nothing: str,
        first: int,
        airy: bool,
    ) -> None:
        """Show these lines; what is drawn as before costs nothing. `nothing` stands for none.

        The cursor stays on the line it is on, and follows a model that is downloaded now; when its
        line is gone it goes to `first`. An `airy` list has empty rows between its parts.
        """
        cells = max(10, self.scrollable_content_region.width)
        contents = [drawn(line, cells, loaded=loaded, chosen=chosen) for line in lines]
        for place in range(1, len(lines)):
            if airy and isinstance(lines[place], Heading):
                contents[place] = Content("\n") + contents[place]
        names = list(map(_name, lines))
        if names == list(map(_name, self._shown)) and names:
            for place, content in enumerate(contents):
                if not content.is_same(self._contents[place]):
                    self.replace_option_prompt_at_index(place, content)
            self._shown, self._contents = tuple(lines), contents
            return
        line = self.line
        before = None if line is None else _name(line)
        self._shown, self._contents = tuple(lines), contents
        self.clear_options()
        self.add_options(
            Option(content, disabled=isinstance(line, Heading))
            for line, content in zip(lines, contents, strict=True)
        )
        if not lines:
            self.add_option(Option(Content.styled(nothing, "$ink-quiet"), disabled=True))
            self.highlighted = None
        else:
            there = names.index(before) if before in names else _download_of(line, lines)
            self.highlighted = first if there is None else there

    def move(self, lines: int) -> None:
        """Move the cursor, down or (less than 0) up, over the headings and not beyond the ends."""
        places = [at for at, line in enumerate(self._shown) if not isinstance(line, Heading)]
        if places:
            now = places.index(self.highlighted) if self.highlighted in places else 0
            self.highlighted = places[max(0, min(now + lines, len(places) - 1))]
            if self.highlighted == places[0]:
                # The heading above the first one is seen again too.
                self.scroll_to(y=0, animate=False)

    @property
    def page_lines(self) -> int:
        """How far a page goes."""
        return max(1, self.size.height - 1)

    def on_click(self, event: events.Click) -> None:
        # In the place of the list's own answer, which chooses with one click.
        event.prevent_default()
        at: int | None = event.style.meta.get("option")
        if at is None or at >= len(self._shown) or isinstance(self._shown[at], Heading):
            return
        self.highlighted = at
        if event.chain > 1:
            self.action_select()


def _download_of(line: Line | None, lines: Sequence[Line]) -> int | None:
    """Where the download stands that was offered by a line which is gone; `None` when nowhere."""
    match line:
        case OfferLine():
            name = line.view.name
        case TypedLine():
            name = line.text
        case _:
            return None
    places = enumerate(lines)
    return next((at for at, one in places if _is_download(one, name)), None)


def _is_download(line: Line, name: str) -> bool:
    return isinstance(line, DownloadLine) and line.view.name == name


def _name(line: Line) -> tuple[str, str]:
    """What tells a line from the others, however it changes."""
    match line:
        case Heading():
            return ("heading", line.title)
        case FileLine():
            return ("file", line.view.path)
        case OfferLine():
            return ("offer", line.view.name)
        case DownloadLine():
            return ("download", str(line.view.download))
        case TypedLine():
            return ("typed", line.text)
