"""Appearance: colours, fonts and icons, for the light and dark themes."""
