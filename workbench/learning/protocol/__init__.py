"""How the learning program is started, what it reports, and how it fails."""
