"""Pages that show parts, results and camera images of a policy; a page needs no other file."""
