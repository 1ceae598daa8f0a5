"""Which start suits a target, and carrying over from the closest source."""
