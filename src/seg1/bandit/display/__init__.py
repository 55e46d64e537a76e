"""Figures to look at."""
