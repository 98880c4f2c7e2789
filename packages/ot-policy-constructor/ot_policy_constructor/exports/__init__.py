"""What writes a policy in a format that is read elsewhere, and reads it back: one file per format."""
