"""Bringing files home: one file proven (`fetch`), many in turn (`queue`), and what they are called (`naming`)."""
