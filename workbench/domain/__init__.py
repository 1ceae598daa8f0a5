"""Frozen value types and pure rules of the program: no Qt, torch, SQL or file access."""
