"""Images come into a project, are found again, and are shown small."""
