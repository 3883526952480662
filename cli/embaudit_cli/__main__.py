"""Entry point of the ``embaudit`` command and of ``python -m embaudit_cli``."""

from __future__ import annotations

from embaudit_cli.interrupt import Stopped, end_at_once, raise_on_signals


def main() -> None:
    """Run the command line; a signal ends it at once and leaves no partial file."""
    try:
        raise_on_signals()
        from embaudit_cli.app import app

        app(prog_name="embaudit")
    except Stopped as stopped:
        end_at_once(stopped)


if __name__ == "__main__":
    main()
