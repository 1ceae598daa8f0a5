"""The six pages; they do not import each other."""
