"""Search: the images whose features are nearest to those of a sentence or an image."""
