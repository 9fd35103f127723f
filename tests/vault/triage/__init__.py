"""Tests of flags, releases and undoing."""
