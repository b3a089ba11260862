"""A bundle at work: sources in, policy between its guards, envelope, setpoints out."""
