"""Detection, review and export of mouth crops."""
