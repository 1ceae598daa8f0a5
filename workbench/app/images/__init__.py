"""Import, relinking and thumbnails of images."""
