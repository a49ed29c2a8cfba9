"""The run's report: one HTML page and the lines the command line ends with."""

from agentad.report.exhibits import Exhibits, Outline, Picture
from agentad.report.page import render
from agentad.report.pick import Picked, pick
from agentad.report.summary import summary_lines

__all__ = ["Exhibits", "Outline", "Picked", "Picture", "pick", "render", "summary_lines"]
