"""Pretrained encoders, and where their weights come from. The modules load torch only where they use it."""
