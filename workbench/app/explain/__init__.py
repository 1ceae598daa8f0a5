"""Explanations of predictions, for single images and for many."""
