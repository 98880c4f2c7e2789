"""`log.*`: where hyperparameters and metrics go."""
