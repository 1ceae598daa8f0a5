"""Pixels in, boxes and crops out: the only home of OpenCV, dlib and Pillow."""
