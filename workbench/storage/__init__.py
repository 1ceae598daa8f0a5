"""The project folder: the only home of SQL."""
