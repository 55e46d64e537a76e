"""How answers are learned: sums, and what follows from them."""
