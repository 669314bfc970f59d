"""The database: an index of what the folders prove, and the one place that opens it."""
