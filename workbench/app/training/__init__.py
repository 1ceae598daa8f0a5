"""From labels to a run: samples, splits, recipes, and the queue in which runs are trained."""
