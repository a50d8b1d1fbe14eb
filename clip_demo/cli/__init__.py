"""The command line: its arguments, its commands, and the check against published numbers."""
