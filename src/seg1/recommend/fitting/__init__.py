"""Factors: fitted, folded in, tuned, saved."""
