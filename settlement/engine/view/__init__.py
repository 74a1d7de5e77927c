"""Show how the whole stands, and every step that one id went through."""
