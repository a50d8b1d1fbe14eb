"""CLIP models: catalogue, download, loading and forward passes, and the image that a user brings."""
