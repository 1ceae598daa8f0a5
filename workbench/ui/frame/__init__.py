"""The window around the pages: rail, status bar, palette, dialogs of the whole program."""
