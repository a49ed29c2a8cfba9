"""Invented anomalies, with their origin."""
