"""Transfer learning, a program of its own: the only home of torch; nobody imports it."""
