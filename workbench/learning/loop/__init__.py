"""Training loop and its setup, shared by all methods."""
