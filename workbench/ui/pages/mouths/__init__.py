"""The Mouths page."""
