"""Image similarity: search, clustering, nearest-neighbour labelling and sorting."""
