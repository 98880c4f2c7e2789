"""One small, useful component of every kind: the author tutorial of Offline Trainer (docs/authors.md)."""
