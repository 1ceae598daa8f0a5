"""Transferability scores of start weights, and transfer from the most related source."""
