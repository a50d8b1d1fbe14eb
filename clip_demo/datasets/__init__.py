"""Datasets behind one interface: CIFAR-100, Shapes-100, which is drawn by code, more of torchvision's, and folders."""
