"""From probabilities to what is shown: which arms may be, which is drawn, and why it was."""
