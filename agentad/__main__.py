"""`python -m agentad`."""

from agentad.cli import main

main()
