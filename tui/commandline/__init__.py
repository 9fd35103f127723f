"""The commands, one file a family. None of them imports Textual."""
