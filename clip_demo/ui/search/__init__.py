"""The search tab: test images by a sentence, by an image, or by both."""
