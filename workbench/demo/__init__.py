"""The demo: toy images, training with and without transfer, and the results."""
