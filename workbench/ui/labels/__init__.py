"""Label sets: their keys, their table and the history of their edits."""
