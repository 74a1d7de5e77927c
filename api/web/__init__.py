"""The web pages: server-rendered in French and English, then kept live by a small script."""
