"""Tables: recognised, profiled in one pass, read in chunks, encoded as numbers."""

from agentad.modalities.table.data import TableData, open_table, recognise
from agentad.modalities.table.encoder import TableEncoder
from agentad.modalities.table.layout import Layout

__all__ = ["Layout", "TableData", "TableEncoder", "open_table", "recognise"]
