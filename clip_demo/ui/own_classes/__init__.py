"""The tab on which a visitor teaches own classes with photos, and compares four classifiers."""
