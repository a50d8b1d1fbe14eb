"""The built-in stand-in `tiny`: how its checkpoint ``assets/tiny.pt`` was trained.

``captions.py`` makes the captions, ``data.py`` the images, ``network.py`` the model and its file, ``train.py`` the
loop and the command line, ``evaluate.py`` the numbers. The app never imports this folder.
"""
