"""Training of the built-in model `tiny` (``assets/tiny.pt``). The running program does not import this package."""
