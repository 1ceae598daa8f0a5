"""The main window: rail, palette, status bar, notifications, welcome page."""
