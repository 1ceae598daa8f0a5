"""Qt widgets. They display values and call the app; they contain no logic of their own."""
