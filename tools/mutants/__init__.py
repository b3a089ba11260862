"""Does the suite notice? Small mistakes are put into the code one by one, and tests have to fail.

Named mutants are data in `named/`: each with the text that it replaces and the tests that are to kill it.
Random ones are drawn over the syntax trees of all packages. Both run in copies of the tree, by hand or at
night; continuous integration only checks that every named mutant still applies.
"""
