"""What was played and answered: kept on disk as it happens, listed, drawn, and as MIDI files."""
