"""A visitor's own classes: photos, four classifiers that learn from them, and how good these are."""
