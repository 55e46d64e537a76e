"""What is one customer's own, drawn towards that of others alike."""
