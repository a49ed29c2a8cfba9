"""Rounds: generate, verify, adapt, gate, feed back."""
