"""The command line. `main` is the console script."""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Run the command in `sys.argv` and exit with its code; see `agentad.errors` for the codes."""
    # two spinning threads cost more than one working one on small shared machines
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from agentad.cli.app import app
    from agentad.errors import AgentadError

    try:
        app(standalone_mode=True)
    except AgentadError as error:
        _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        _say("stopped; what was finished is kept, and `agentad runs resume` goes on", 130)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("AGENTAD_DEBUG"):
            raise
        _say(
            f"agentad failed: {type(error).__name__}: {error}. This is our fault; AGENTAD_DEBUG=1 shows what to report",
            1,
        )


def _say(message: str, code: int) -> None:
    sys.stderr.write(f"error: {message}\n")
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"error": message, "exit_code": code}, ensure_ascii=False) + "\n")
    sys.exit(code)
