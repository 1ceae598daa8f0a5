"""Analyses of domains, starts and stages."""
