"""Trained networks in use: predictions, explanations and export."""
