"""Pages that tell what was done, how well, and what the policy saw; a page needs no other file."""
