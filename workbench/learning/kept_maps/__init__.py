"""What the frozen stages say of the images, made once and kept."""
