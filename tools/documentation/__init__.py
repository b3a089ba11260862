"""`python -m tools.documentation` fills the generated blocks of docs/ and README.md from the code.

A block begins with `<!-- generated: NAME ARGUMENTS -->` and ends with `<!-- end -->`; `pages.blocks` has the
names. Text outside of blocks is written by hand and left alone. Every registered environment has a page; a
missing page is started from a template.
"""
