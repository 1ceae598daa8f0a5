"""The training loop, which serves every method, and what it is put together from."""
