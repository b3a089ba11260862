"""The force loop of the insertions, in a model of its own and in the cell: margins and peaks."""
