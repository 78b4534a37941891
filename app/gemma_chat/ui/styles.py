"""What is changed of the looks of Textual's own widgets, wherever they stand.

The grounds and inks are those of `themes.window_colours`: readable in every theme.
"""

from __future__ import annotations

from typing import Final

STYLES: Final = """
/* At the top, where they do not cover what is being typed. */
ToastRack { dock: top; align: right top; margin: 1 0 0 0; }
Toast { background: $panel; }
Input:focus, TextArea:focus { background-tint: $foreground 0%; }
Input > .input--placeholder, Input > .input--suggestion { color: $ink-quiet; }
TextArea .text-area--placeholder { color: $ink-quiet; }
SelectCurrent Static#label { color: $ink-quiet; }
SelectCurrent.-has-value Static#label { color: $foreground; }
/* With sixteen colours Textual's cursor in a list is as bright as the text on it. */
OptionList:ansi > .option-list--option-highlighted,
OptionList:focus:ansi > .option-list--option-highlighted {
    background: ansi_bright_black; color: ansi_bright_white;
}
.-light-mode OptionList:ansi > .option-list--option-highlighted,
.-light-mode OptionList:focus:ansi > .option-list--option-highlighted {
    background: ansi_white; color: ansi_black;
}
"""
