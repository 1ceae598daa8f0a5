"""Image pipeline: decoding, square resizing, augmentation and sampling."""
