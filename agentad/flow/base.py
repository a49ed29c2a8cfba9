"""What every noun shares: frozen, closed, and equal to itself after a round trip through JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """A value without behaviour. Unknown fields are refused; NaN and infinity do not exist in our JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
