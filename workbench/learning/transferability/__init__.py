"""How well a start suits a target before anything is trained: one score per file."""
