"""The demonstration: small drawings, two trainings, and what came of them."""
