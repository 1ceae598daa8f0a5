"""Cache of the frozen stages' outputs."""
