"""The command line. `main` is the console script."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

STOPPED = 130


def main() -> None:
    """Run the command in `sys.argv` and exit with its code."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` spell; returns its exit code, see `agentad.errors`.

    Whatever goes wrong is one message on standard error and, with `--json`, one document on standard output.
    """
    # two spinning threads cost more than one working one on small shared machines
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from agentad.cli import output

    said = "--json" in arguments
    try:
        code = _run(arguments, said)
        output.flush()
    except output.ReaderGone:
        return 0
    except output.CannotPrint as error:
        return output.failure(str(error), error.exit_code, said=False)
    return code


def _run(arguments: Sequence[str], said: bool) -> int:
    import typer

    from agentad.cli import output
    from agentad.cli.app import app
    from agentad.errors import AgentadError

    usage_error: Any = typer.BadParameter.__base__  # typer exports no other name for it
    try:
        code: object = app(list(arguments), prog_name="agentad", standalone_mode=False)
    except usage_error as error:
        error.show()
        return output.failure(error.format_message() or "no command given", 2, said=said, shown=True)
    except (output.ReaderGone, output.CannotPrint):
        raise
    except AgentadError as error:
        return output.failure(str(error), error.exit_code, said=said)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except Exception as error:
        if os.environ.get("AGENTAD_DEBUG"):
            raise
        what = f"{type(error).__name__}: {error}"
        return output.failure(
            f"agentad failed: {what}. This is our fault; AGENTAD_DEBUG=1 shows what to report", 1, said=said
        )
    if code == STOPPED:  # typer turns an interrupt into this code
        text = "stopped; what was finished is kept, and the same command again goes on"
        return output.failure(text, STOPPED, said=said)
    return code if isinstance(code, int) else 0
