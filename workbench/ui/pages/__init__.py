"""The six pages; none knows another."""
