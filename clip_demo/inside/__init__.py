"""The inside of a prediction: its steps with their numbers, heat maps and their check, a training batch, maps."""
