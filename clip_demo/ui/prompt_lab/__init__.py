"""The Prompt Lab tab: evaluates the prompt set on the whole test set while it is edited."""
