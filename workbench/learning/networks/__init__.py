"""Networks: construction, layer names and start weights."""
