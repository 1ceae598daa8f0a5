"""Dialogs, one per task."""
