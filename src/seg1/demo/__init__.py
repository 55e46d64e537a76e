"""The main job on real retail data: events, consent, matrix, recommendations, report."""
