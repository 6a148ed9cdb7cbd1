"""A controller's knobs: what each is for, what it does when it moves, and which one it was."""
