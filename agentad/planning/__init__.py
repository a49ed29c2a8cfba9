"""From a request and a look at the data to a plan that can be carried out."""

from agentad.planning.chat import ChatPlanner
from agentad.planning.chat_critic import ChatCritic
from agentad.planning.critic import Advice, Critic, RulesCritic
from agentad.planning.make import Planner, make_plan, planner_for, planner_inputs
from agentad.planning.recipes import dump_plan, load_plan, load_recipe
from agentad.planning.rules import RulePlanner
from agentad.planning.strategies import STRATEGIES, Cell, Review
from agentad.planning.validate import validate

__all__ = [
    "STRATEGIES",
    "Advice",
    "Cell",
    "ChatCritic",
    "ChatPlanner",
    "Critic",
    "Planner",
    "Review",
    "RulePlanner",
    "RulesCritic",
    "dump_plan",
    "load_plan",
    "load_recipe",
    "make_plan",
    "planner_for",
    "planner_inputs",
    "validate",
]
