"""What a person sees: the commands and the desk."""

VERSION = "0.1.0"
"""As in pyproject.toml, held by a test: to ask the installed distribution takes longer than to show a last frame."""
