"""What the input box can ask for beside sending: commands after a slash, and their dialogs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gemma_chat.errors import SettingsError
from gemma_chat.ui.drafts import FOLD_CHARACTERS, Draft, draft_of
from gemma_chat.ui.input.slash import SETTING, Call, Refusal, is_command, parse

if TYPE_CHECKING:
    from gemma_chat.config.prompts import Prompt
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.commands import Commands
    from gemma_chat.ui.composer import Composer
    from gemma_chat.ui.input.paste_view import Wish
    from gemma_chat.ui.tab_settings import TabSettings


class InputCommands:
    """Carries out what is typed as a command, and what belongs to the input."""

    def __init__(self, app: ChatApp, commands: Commands, settings: TabSettings) -> None:
        self._app = app
        self._commands = commands
        self._settings = settings
        self.by_id: dict[str, Callable[[], None]] = {
            "message.send": lambda: self._composer.press("message.send"),
            "message.new_line": lambda: self._composer.press("message.new_line"),
            "input.undo": lambda: self._composer.press("input.undo"),
            "input.redo": lambda: self._composer.press("input.redo"),
            "input.editor": self.edit,
            "input.history": self.search_sent,
            "input.file": lambda: self.begin("@"),
            "input.prompt": self.choose_prompt,
            "input.vi": self.switch_vi,
            "program.suspend": self.suspend,
        }
        self._with_argument: dict[str, Callable[[str], None]] = {
            "input.file": self.insert_file,
            "input.prompt": self.use_prompt,
            "model.load": lambda path: commands.models.load_file(path),
            "message.attach": lambda path: commands.attaching.attach((Path(path).expanduser(),)),
            "tab.export": commands.library.export_to,
            "history.import": commands.library.import_from,
            "tab.rename": lambda title: commands.rename_to(title),
            "tab.system": settings.set_system,
            "tab.compare": commands.compare.compare_with,
            "tab.mark": commands.tabs.mark_as,
            "tab.group": commands.tabs.put_into,
            "tab.role": settings.role,
            "tab.preset": settings.preset,
            "tab.reset": settings.reset,
            "message.regenerate": lambda name: commands.messages.again.regenerate_as(
                settings.preset_named(name)
            ),
            "program.theme": self.use_theme,
        }

    @property
    def _composer(self) -> Composer:
        return self._app.window.composer

    # ------------------------------------------------------------ what is sent

    def sent(self, draft: Draft) -> None:
        """Send this, or carry it out when it is a command; what is refused stays in the input."""
        app = self._app
        if not is_command(draft.text):
            app.sent_messages.add(draft.text)
            self._commands.send(draft)
            return
        call = parse(draft.full)
        if isinstance(call, Refusal):
            self._commands.give_back(app.state.writing, draft)
            app.say(call.sentence, "warning")
            return
        app.sent_messages.add(draft.text)
        # Pictures that are attached are for the message to come.
        self._commands.give_back(app.state.writing, Draft(attachments=draft.attachments))
        try:
            self.run(call)
        except SettingsError as error:
            app.say(str(error), "warning")
            if not self._composer.editor.text:
                app.put_draft(app.state.writing, draft)

    def run(self, call: Call) -> None:
        """Carry out a command; raises `SettingsError` about its argument."""
        id_ = call.command.id
        if id_.startswith(SETTING):
            self._settings.change(id_.removeprefix(SETTING), call.argument)
        elif call.argument:
            self._with_argument[id_](call.argument)
        else:
            self._commands.run(id_)

    def begin(self, text: str) -> None:
        """Begin a command or a file's name in the input, for the person to go on."""
        editor = self._composer.editor
        editor.focus()
        if text.startswith("/") and editor.text:
            self._app.say(f"Type {text.strip()} into an empty input.", "information")
            return
        if text == "@" and editor.cursor and not editor.text[editor.cursor - 1].isspace():
            text = " @"
        editor.insert(text)

    # ------------------------------------------------------------ editor, shell, history

    def edit(self) -> None:
        """Let the person write in an editor of theirs."""
        self._app.spawn(self._edit())

    async def _edit(self) -> None:
        app, composer = self._app, self._composer
        before = composer.editor.text
        edited = await app.away.edit(before)
        if edited.sentence:
            app.say(edited.sentence, "warning")
        if edited.text is not None and edited.text != before:
            self._put(edited.text)

    def _put(self, text: str) -> None:
        """Make this the typed text, folded where it is too large; undo takes it back."""
        composer = self._composer
        if len(text) > FOLD_CHARACTERS:
            large = draft_of(text)
            there = composer.draft
            pastes = (*large.pastes, *there.pastes)
            composer.load(msgspec.structs.replace(there, text=large.text, pastes=pastes))
        else:
            composer.editor.put(text)
        composer.editor.focus()

    def suspend(self) -> None:
        """Go back to the shell until it brings the program back."""
        self._app.store_draft()
        sentence = self._app.away.to_shell()
        if sentence:
            self._app.say(sentence, "information")

    def search_sent(self) -> None:
        """Let the person find a message that was sent before."""
        from gemma_chat.ui.chooser import Choice, Chooser

        messages = self._app.sent_messages.newest_first
        choices = [Choice(" ".join(text.split()), body=text) for text in messages]

        def chosen(number: int | None) -> None:
            if number is not None:
                self._put(messages[number])

        self._app.push_screen(
            Chooser(
                "Sent messages",
                choices,
                advice="enter brings it back",
                nothing="nothing sent has these words",
                typed=self._composer.editor.text.partition("\n")[0],
            ),
            chosen,
        )

    # ------------------------------------------------------------ files and pastes

    def insert_file(self, path: str) -> None:
        """Put a text file into the message, or attach an image or a recording."""
        self._app.switch(self._insert_file(path, None))

    def replace_by_file(self, path: str, start: int, end: int) -> None:
        """Put a file into the message whose name stands from `start` to `end` of the text."""
        self._app.switch(self._insert_file(path, (start, end)))

    async def _insert_file(self, path: str, typed: tuple[int, int] | None) -> None:
        from gemma_chat.ui.attaching.attached import SUFFIXES
        from gemma_chat.ui.input.files import FileRefusedError, as_block, file_text

        file = Path(path)
        composer = self._composer
        if file.suffix.lower() in SUFFIXES:
            if await self._commands.attaching.put_above((file,)):
                self._name_file(file, typed)
            return
        try:
            text = await asyncio.to_thread(file_text, file)
        except FileRefusedError as error:
            self._app.say(str(error), "warning")
            return
        self._name_file(file, typed)
        composer.change_pastes(composer.draft.with_paste(as_block(file, text)))

    def _name_file(self, file: Path, typed: tuple[int, int] | None) -> None:
        """Put the name of a file into the place where it was typed, if it was."""
        if typed is not None:
            editor = self._composer.editor
            name = f"`{file.name}` ".replace("\n", " ")
            editor.change(*typed, name)
            editor.move_to(typed[0] + len(name))

    def open_paste(self, index: int, paste: str) -> None:
        """Show a folded paste, and do what the person wants with it."""
        from gemma_chat.ui.input.paste_view import MOST_UNFOLDED, PasteView

        def answered(wish: Wish | None) -> None:
            composer = self._composer
            if wish is None:
                return
            if wish == "unfold" and len(paste) > MOST_UNFOLDED:
                self._app.say(
                    f"This has {len(paste):,} characters; the input would be slow with more than "
                    f"{MOST_UNFOLDED:,}. It is sent whole all the same.",
                    "warning",
                )
                return
            composer.change_pastes(composer.draft.without_paste(index))
            if wish == "unfold":
                composer.editor.insert(paste)
            composer.editor.focus()

        self._app.push_screen(PasteView(paste), answered)

    # ------------------------------------------------------------ prompts

    def choose_prompt(self) -> None:
        """Let the person choose among the prompts."""
        from gemma_chat.ui.chooser import Choice, Chooser

        found = self._app.library.prompts()
        self._tell(found.problems)
        choices = [Choice(each.name, each.explanation, each.text) for each in found.items]

        def chosen(number: int | None) -> None:
            if number is not None:
                self._fill(found.items[number])

        self._app.push_screen(
            Chooser(
                "Prompt library",
                choices,
                advice="enter takes it",
                nothing="no prompt has these words",
            ),
            chosen,
        )

    def use_prompt(self, name: str) -> None:
        """Take the prompt of this name; raises `SettingsError`."""
        found = self._app.library.prompts()
        self._tell(found.problems)
        prompt = found.named(name)
        if prompt is None:
            raise SettingsError(f"There is no prompt {name[:40]!r}. /prompt shows them all.")
        self._fill(prompt)

    def _fill(self, prompt: Prompt) -> None:
        typed = self._composer.editor.text
        if not prompt.blanks:
            self._put("\n\n".join(part for part in (prompt.text, typed) if part))
            return
        from gemma_chat.ui.prompt_form import PromptForm

        def filled(text: str | None) -> None:
            if text is not None:
                self._put(text)

        self._app.push_screen(PromptForm(prompt, typed), filled)

    # ------------------------------------------------------------ program

    def switch_vi(self) -> None:
        """Let vi's keys hold from now on, or no longer; the choice is kept."""
        app = self._app
        on = not self._composer.editor.vi_mode
        self._composer.editor.set_vi(on=on)
        self._composer.editor.focus()
        app.keep_setting("terminal.vi_keys", "true" if on else "false")

    def use_theme(self, name: str) -> None:
        """Show this theme; raises `SettingsError`."""
        if name not in self._app.available_themes:
            raise SettingsError(f"There is no theme {name[:40]!r}. /theme shows them all.")
        self._app.keep_theme(name)

    def _tell(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            self._app.say(problem, "warning")
