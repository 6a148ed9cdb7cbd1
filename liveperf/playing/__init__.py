"""The instrument at work: its threads, what passes between them, and all of its parts tied together."""
