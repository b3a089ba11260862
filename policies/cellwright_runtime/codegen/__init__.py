"""Source code from a bundle: C99 for the whole graph, Structured Text for what follows the views.

`lowering` turns the graph into a `program` of loops with constant counts. `c_source` and `structured_text`
write the same loops, each in its language.
"""
