"""Speed, measured side by side with the packages that a user would otherwise use.

``sections.py`` names the sections; each is a file with a function `measure`. ``random_checkpoints.py`` makes full-size
weights that need no download, and ``models.py`` runs them in our encoder, in openai-clip and in open_clip.
"""
