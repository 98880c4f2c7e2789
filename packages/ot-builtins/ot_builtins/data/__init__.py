"""Data modules: where batches come from."""
