"""Images as tiles and as one photograph: shown, selected, filtered and searched."""
