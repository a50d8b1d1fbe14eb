"""The few-shot tab: accuracy of a linear probe over the number of labelled images, compared with zero-shot."""
