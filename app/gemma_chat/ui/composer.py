"""The input box: grows to ten lines, sends on enter, completes, recalls, folds large pastes."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static, TextArea

from gemma_chat.ui.attaching.chips import AttachmentChips
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.input.chips import PasteChip
from gemma_chat.ui.input.completing import Completing
from gemma_chat.ui.input.editor import Editor
from gemma_chat.ui.input.sent import Recall, SentMessages
from gemma_chat.ui.keymap import DEFAULT_KEYS, Keymap

__all__ = ["SAVE_AFTER", "Composer", "Editor", "PasteChip"]

SAVE_AFTER = 0.5
"""Seconds of rest after which what was typed is kept by the host."""


class Composer(Vertical):
    """The input box with its folded pastes and its line of advice."""

    DEFAULT_CSS = """
    Composer {
        height: auto;
        border: round $foreground 20%;
        border-title-color: $ink-title;
        border-subtitle-color: $ink-quiet;
    }
    Composer:focus-within { border: round $primary; }
    Composer #chips { height: auto; max-height: 3; }
    Composer #mode { display: none; height: 1; padding: 0 1; color: $ink-mark; }
    """

    @dataclass
    class Sent(Message):
        """A person sends this; the input is empty now, or has what was typed since."""

        draft: Draft

    @dataclass
    class Changed(Message):
        """A person rested after typing: what stands there now is worth keeping."""

        draft: Draft

    @dataclass
    class Refused(Message):
        """The message cannot be sent; it still stands in the input."""

        sentence: str

    @dataclass
    class PasteOpened(Message):
        """A person wants to see a folded paste."""

        index: int
        paste: str

    @dataclass
    class FileWanted(Message):
        """A file was chosen whose name stands from `start` to `end` of the text."""

        path: str
        start: int
        end: int

    def __init__(self) -> None:
        super().__init__(id="composer")
        self.editor = Editor(self.send)
        self.completing = Completing(self)
        self.sent = SentMessages()
        self._keymap = DEFAULT_KEYS
        self._chips = Vertical(id="chips")
        self._mode = Static(id="mode", markup=False)
        self.attachments = AttachmentChips()
        self._pastes: tuple[str, ...] = ()
        self._saving: Timer | None = None
        self._explained = ""
        self._recall: Recall | None = None
        self._recalled = ""

    def compose(self) -> ComposeResult:
        yield self.attachments
        yield self._chips
        yield self.editor

    def on_mount(self) -> None:
        self._say_keys()

    def use_keymap(self, keymap: Keymap) -> None:
        """Name these keys on the lower edge."""
        self._keymap = keymap
        self.editor.use_keymap(keymap)
        self._say_keys()

    @property
    def draft(self) -> Draft:
        """What stands in the input."""
        return Draft(self.editor.text, self._pastes, self.attachments.files)

    def load(self, draft: Draft) -> None:
        """Put this into the input in place of what is there."""
        self._stop_saving()
        self._recall = None
        if draft.text != self.editor.text:
            self.editor.load_text(draft.text)
            self.editor.move_cursor(self.editor.document.end)
        if draft.empty:
            self.editor.begin_typing()
        self._set_pastes(draft.pastes)
        self.attachments.show(draft.attachments)

    def explain(self, title: str) -> None:
        """A short line on the upper edge, above the text; empty takes it away."""
        if title != self._explained:
            self._explained = title
            self.border_title = Content(title)

    def take_escape(self) -> bool:
        """Whether the input had something of its own to do with the escape key."""
        if self.completing.close():
            return True
        return self.editor.has_focus and self.editor.take_escape()

    def press(self, action: str) -> None:
        """Do what this key of the table does in the input."""
        self.editor.focus()
        self.editor.action_press(action)

    def _set_pastes(self, pastes: tuple[str, ...]) -> None:
        if pastes == self._pastes:
            return
        self._pastes = pastes
        self._chips.remove_children()
        self._chips.mount_all(PasteChip(index, paste) for index, paste in enumerate(pastes))

    # ------------------------------------------------------------ the lower edge

    def _say_keys(self) -> None:
        mode = self.editor.vi_mode
        parts = [Content.styled(f"{mode.upper()} ", "bold $ink-mark")] if mode else []
        for number, (action, words) in enumerate(
            (("message.send", "{} sends"), ("message.new_line", "{} new line"))
        ):
            if name := self._keymap.first_key(action):
                parts += [
                    Content(" · " if number else ""),
                    Content(words.format(name)).stylize(f"@click=app.run('{action}')"),
                ]
        parts.append(Content(" · "))
        parts.append(Content("/ commands").stylize("@click=app.run('program.palette')"))
        self.border_subtitle = Content.assemble(*parts)

    async def on_editor_mode_changed(self, message: Editor.ModeChanged) -> None:
        message.stop()
        mode = self.editor.vi_mode
        self.set_class(bool(mode), "-vi")
        if mode and not self._mode.is_attached:
            await self.mount(self._mode)
        self._mode.update(Content(mode.upper()))
        self._say_keys()

    # ------------------------------------------------------------ what the person does

    def send(self) -> None:
        """Hand over what stands there, if there is anything and it is not too long."""
        draft = self.draft
        if draft.empty:
            return
        if draft.too_long:
            self.post_message(self.Refused(draft.too_long))
            return
        self.load(Draft())
        self.post_message(self.Sent(draft))

    def on_editor_large_paste(self, message: Editor.LargePaste) -> None:
        message.stop()
        self.change_pastes(self.draft.with_paste(message.text))

    def on_paste_chip_removed(self, message: PasteChip.Removed) -> None:
        message.stop()
        self.change_pastes(self.draft.without_paste(message.index))
        self.editor.focus()

    def on_paste_chip_opened(self, message: PasteChip.Opened) -> None:
        message.stop()
        self.post_message(self.PasteOpened(message.index, self._pastes[message.index]))

    def on_editor_take_back_paste(self, message: Editor.TakeBackPaste) -> None:
        message.stop()
        if self._pastes:
            self.change_pastes(self.draft.without_paste(len(self._pastes) - 1))
        else:
            self.attachments.take_back()

    def on_attachment_chips_changed(self, message: AttachmentChips.Changed) -> None:
        message.stop()
        self._save()

    def change_pastes(self, draft: Draft) -> None:
        """Fold these pastes into the message; its text stays."""
        self._set_pastes(draft.pastes)
        self._save_later()

    def on_text_area_changed(self, message: TextArea.Changed) -> None:
        message.stop()
        if self.editor.text != self._recalled:
            self._recall = None
        self.completing.look()
        self._save_later()

    def on_text_area_selection_changed(self, message: TextArea.SelectionChanged) -> None:
        message.stop()
        self.completing.look_again()

    def on_editor_choose(self, message: Editor.Choose) -> None:
        message.stop()
        self.completing.move(message.step)

    def on_editor_take(self, message: Editor.Take) -> None:
        message.stop()
        if not self.completing.take(by_enter=message.by_enter) and message.by_enter:
            self.send()

    def on_suggestions_chosen(self, message: events.Event) -> None:
        message.stop()
        self.editor.focus()
        self.completing.take(by_enter=False)

    def on_editor_recall(self, message: Editor.Recall) -> None:
        message.stop()
        if self._recall is None:
            if message.step > 0:
                return
            self._recall = Recall(self.sent.newest_first, self.editor.text)
        older = message.step < 0
        text = self._recall.older() if older else self._recall.newer()
        if text is None:
            return
        self._recalled = text
        end_of_first = len(text.partition("\n")[0])
        self.editor.put(text, end_of_first if older else None)

    # ------------------------------------------------------------ keeping the draft

    def _save_later(self) -> None:
        self._stop_saving()
        self._saving = self.set_timer(SAVE_AFTER, self._save)

    def _stop_saving(self) -> None:
        if self._saving is not None:
            self._saving.stop()
            self._saving = None

    def _save(self) -> None:
        self._saving = None
        self.post_message(self.Changed(self.draft))
