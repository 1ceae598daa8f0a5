"""Images on their way into a network: read, made square, augmented, drawn in turn."""
