"""A trained network at work: predictions, explanations, other formats."""
