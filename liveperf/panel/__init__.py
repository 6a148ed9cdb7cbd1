"""The instrument as a page has it; the page itself is in ."""
