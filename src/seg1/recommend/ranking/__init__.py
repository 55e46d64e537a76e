"""From scores to a ranking of what is allowed."""
