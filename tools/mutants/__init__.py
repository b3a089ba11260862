"""Mutation testing: small mistakes are put into the code one at a time, and the tests have to fail.

A mutant is the code with one such mistake. A test that fails kills it. Named mutants are data in `named/`:
each has the text that it replaces and the tests that have to kill it. Random ones are drawn from the syntax
trees of all packages. Both run in copies of the repository, started by hand or at night. Continuous
integration only checks that every named mutant still applies.
"""
