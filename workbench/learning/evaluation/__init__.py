"""Metrics of networks, starts and domains."""
