"""A transfer from the closest source, asked for and watched."""
