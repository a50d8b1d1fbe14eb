"""A prompt set against a whole test set: accuracy, significance, confusions, calibration and ablations."""
