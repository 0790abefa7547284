"""A synthetic portal of a chosen size, as tables and files; the same seed gives the same bytes."""
