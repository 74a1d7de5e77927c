"""Use cases: what the service does when somebody asks or the clock moves."""
