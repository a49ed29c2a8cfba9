"""Scoring rules over encoded data, one family a file, and the thresholds drawn from their scores."""
