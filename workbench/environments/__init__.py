"""Environments of their own, for jobs whose requirements differ from what Tenfold itself has."""
