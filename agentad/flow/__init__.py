"""The nouns: frozen values with a JSON round trip. No torch, no files, no behaviour."""

from agentad.flow.asked import Asked
from agentad.flow.base import Noun
from agentad.flow.brief import Brief, Place, Shape
from agentad.flow.card import Param, Requires, ToolCard
from agentad.flow.constraint import Beyond, Constraint, Derived, Fixed, Limit, OneOf
from agentad.flow.evidence import CategoryEvidence, ColumnEvidence, Evidence, RegionEvidence, ScoredItem
from agentad.flow.generation import Generation, Stress, StressCell
from agentad.flow.loop import Loop
from agentad.flow.plan import Plan
from agentad.flow.profile import Column, ColumnKind, DataProfile, ImageFacts, Modality, Skipped, TableFacts
from agentad.flow.report import Metrics, Report
from agentad.flow.request import Request
from agentad.flow.round import Decision, Mix, Portion, Round, Spot
from agentad.flow.step import Step, Value
from agentad.flow.synthesis import Synthesis, SyntheticImage, SyntheticRow
from agentad.flow.threshold import Threshold
from agentad.flow.verdict import Reliability, Verdict

__all__ = [
    "Asked",
    "Beyond",
    "Brief",
    "CategoryEvidence",
    "Column",
    "ColumnEvidence",
    "ColumnKind",
    "Constraint",
    "DataProfile",
    "Decision",
    "Derived",
    "Evidence",
    "Fixed",
    "Generation",
    "ImageFacts",
    "Limit",
    "Loop",
    "Metrics",
    "Mix",
    "Modality",
    "Noun",
    "OneOf",
    "Param",
    "Place",
    "Plan",
    "Portion",
    "RegionEvidence",
    "Reliability",
    "Report",
    "Request",
    "Requires",
    "Round",
    "ScoredItem",
    "Shape",
    "Skipped",
    "Spot",
    "Step",
    "Stress",
    "StressCell",
    "Synthesis",
    "SyntheticImage",
    "SyntheticRow",
    "TableFacts",
    "Threshold",
    "ToolCard",
    "Value",
    "Verdict",
]
