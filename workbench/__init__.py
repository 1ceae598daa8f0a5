"""Vantage Workbench: label, train and understand fine-grained image classifiers, offline."""

__version__ = "0.1.0"
