"""Whether a policy, or the cell under it, got worse: recorded episodes, and verdicts over suites of them."""
