"""What is remembered: exact neighbours of normal rows and patches."""
