"""Image features of whole datasets: extraction, resumable shards, and the store of test features."""
