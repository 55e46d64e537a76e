"""The main job on real retail data: events, consent, matrix, recommendations, report."""

from seg1.demo.extract import Extract, load_extract

__all__ = ["Extract", "load_extract"]
