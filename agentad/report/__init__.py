"""The run's report: one HTML page, one a round, and the lines the command line ends with."""

from agentad.report.exhibits import Exhibits, Invented, Outline, Picture, RoundExhibits
from agentad.report.page import render
from agentad.report.pick import Picked, pick
from agentad.report.round import render_round
from agentad.report.summary import summary_lines

__all__ = [
    "Exhibits",
    "Invented",
    "Outline",
    "Picked",
    "Picture",
    "RoundExhibits",
    "pick",
    "render",
    "render_round",
    "summary_lines",
]
