"""The tab "Search": the test images nearest to a sentence, an image, or both."""
