"""Scores of networks, starts and domains."""
