"""The nouns: frozen values with a JSON round trip. No torch, no files, no behaviour."""

from agentad.flow.asked import Asked
from agentad.flow.base import Noun
from agentad.flow.card import Param, Requires, ToolCard
from agentad.flow.constraint import Beyond, Constraint, Derived, Fixed, Limit, OneOf
from agentad.flow.evidence import CategoryEvidence, ColumnEvidence, Evidence, RegionEvidence, ScoredItem
from agentad.flow.plan import Plan, Step, Value
from agentad.flow.profile import Column, ColumnKind, DataProfile, ImageFacts, Modality, Skipped, TableFacts
from agentad.flow.report import Metrics, Report
from agentad.flow.request import Request
from agentad.flow.synthesis import Synthesis, SyntheticRow
from agentad.flow.threshold import Threshold

__all__ = [
    "Asked",
    "Beyond",
    "CategoryEvidence",
    "Column",
    "ColumnEvidence",
    "ColumnKind",
    "Constraint",
    "DataProfile",
    "Derived",
    "Evidence",
    "Fixed",
    "ImageFacts",
    "Limit",
    "Metrics",
    "Modality",
    "Noun",
    "OneOf",
    "Param",
    "Plan",
    "RegionEvidence",
    "Report",
    "Request",
    "Requires",
    "ScoredItem",
    "Skipped",
    "Step",
    "Synthesis",
    "SyntheticRow",
    "TableFacts",
    "Threshold",
    "ToolCard",
    "Value",
]
