"""A session's periods, cut where another component of the tariff begins to count."""
