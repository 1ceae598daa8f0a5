"""Results of runs: tables, comparison, evaluation and export."""
