"""From what is believed to the probability of choosing."""
