"""Zero-shot prediction: from templates and class names to a classifier made of text features."""
