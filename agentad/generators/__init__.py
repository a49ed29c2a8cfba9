"""Invented anomalies, with their origin."""

from agentad.generators.conditions import conditions_from_words, read_conditions
from agentad.generators.generate import Generated, generate_rows

__all__ = ["Generated", "conditions_from_words", "generate_rows", "read_conditions"]
