"""Datasets behind one interface: CIFAR-100, and Shapes-100, which is drawn by code and needs no download."""
