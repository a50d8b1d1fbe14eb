"""What many visitors at once need: the encoder queue, micro-batching, caches, the model pool and background tasks."""
