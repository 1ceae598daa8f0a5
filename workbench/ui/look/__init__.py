"""Colours, type and icons: how everything looks, light and dark."""
