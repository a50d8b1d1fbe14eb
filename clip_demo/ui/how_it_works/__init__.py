"""The tab that explains zero-shot prediction and the linear probe."""
