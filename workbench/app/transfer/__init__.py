"""Transferability scores of starts, and transfer from the most related source."""
