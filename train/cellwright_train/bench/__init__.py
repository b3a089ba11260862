"""The speeds and ratios that the documentation states."""
