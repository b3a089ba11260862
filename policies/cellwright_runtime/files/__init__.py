"""Readers of files that other people may have written: they check every size before they use it."""
