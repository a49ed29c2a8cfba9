"""Invented anomalies of images, each with the mask of what was changed."""
