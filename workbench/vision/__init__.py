"""Image decoding, face detection and rendering: the only package with OpenCV, dlib and Pillow."""
