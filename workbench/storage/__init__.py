"""The project folder and its database: the only package with SQL."""
