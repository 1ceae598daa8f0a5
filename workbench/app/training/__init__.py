"""Training: samples, splits, recipes and the run queue."""
