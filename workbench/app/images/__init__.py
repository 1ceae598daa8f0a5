"""Import, re-linking and thumbnails of images."""
