"""Every error agentad raises on purpose.

::

    AgentadError            exit 1   our fault, or unexplained
    ├── InputError          exit 2   the data, an option or a path: names it and says the way out
    │   ├── UnreadableData           a file or folder that cannot be used as data
    │   ├── DetectorRefused          a detector folder this version does not understand
    │   ├── NotWritable              a folder that results cannot be written to
    │   ├── WeightsMissing           pretrained weights that are not here and cannot be fetched
    │   └── MissingExtra             an optional package that is not installed
    ├── PlanRejected                 told to the planner, which may correct it; never reaches the user as it is
    ├── Infeasible          exit 3   understood, but cannot be done with this data and these exclusions
    └── BudgetSpent         exit 4   stopped softly; the partial result is kept
"""

from __future__ import annotations


class AgentadError(Exception):
    """Base of the tree. `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(AgentadError):
    """Bad input or usage. The message names the file or value and the way out."""

    exit_code = 2


class UnreadableData(InputError):
    """A file or folder that cannot be used as data."""


class DetectorRefused(InputError):
    """A detector folder that is damaged, too new, or not a detector."""


class NotWritable(InputError):
    """A folder that results cannot be written to: read-only, or on a full disk."""


class WeightsMissing(InputError):
    """Pretrained weights that are neither here nor reachable."""


class MissingExtra(InputError):
    """An optional package that is not installed; the message holds the command that installs it."""


class PlanRejected(AgentadError):
    """A plan that does not fit the profile, the cards or the user's exclusions. The planner is told why."""


class Infeasible(AgentadError):
    """The request was understood and cannot be done with this data and these exclusions."""

    exit_code = 3


class BudgetSpent(AgentadError):
    """A budget ran out. What was finished is kept and named in the message."""

    exit_code = 4
