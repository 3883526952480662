"""Commands over several lines that are still read as one."""

from __future__ import annotations

import re

from rich.text import Text

WORD = re.compile(r"""(?:--[\w-]+\ (?!-))?(?:'[^']*'|"[^"]*"|\S)+""")
"""An option with its value, or another word; quoted parts whole."""

CONTINUED = " \\"
HANGING = 4


def continued(command: Text, columns: int) -> Text:
    """Return `command` broken between its words into lines of at most `columns`.

    Every line but the last ends in a backslash. A single word that is longer stays whole.
    """
    if command.cell_len <= columns:
        return command
    indent = " " * (len(command.plain) - len(command.plain.lstrip(" ")))
    hanging = indent + " " * HANGING
    first, *rest = WORD.findall(command.plain)
    lines = [indent + first]
    for word in rest:
        longer = f"{lines[-1]} {word}"
        if Text(longer + CONTINUED).cell_len <= columns:
            lines[-1] = longer
        else:
            lines[-1] += CONTINUED
            lines.append(hanging + word)
    return Text("\n".join(lines), command.style, no_wrap=True, overflow="ignore")
