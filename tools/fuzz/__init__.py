"""Fuzzing: files are damaged at random, from a seed. A reader has to refuse a damaged file in one line, or
to return the content that the file really has.
"""
