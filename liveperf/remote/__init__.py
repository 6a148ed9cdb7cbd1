"""Steered from elsewhere: HTTP, WebSocket and OSC, who may come in, and the client in the terminal."""
