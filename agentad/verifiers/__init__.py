"""Whether an invented anomaly is one: visible, realistic, in place, of its type; each verifier calibrated."""
