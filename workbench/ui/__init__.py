"""Widgets: they show values, call the app and decide nothing."""
