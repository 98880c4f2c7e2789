"""`cb.*`: what observes a run and acts on it at its hooks."""
