"""Labelling, import and export of labels, and label statistics."""
