"""Mouths found in photographs, adjusted, and cut out."""
