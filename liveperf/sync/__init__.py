"""In time with others: a MIDI clock's beats, tempo and transport, and where the steps lie on them."""
