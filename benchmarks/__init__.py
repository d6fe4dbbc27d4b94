"""Figures as ratios to a reference that ran in the same command: `python -m benchmarks`."""
