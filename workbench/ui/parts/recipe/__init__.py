"""A recipe as a form."""
