"""A JSON Schema of the configuration language, for editors."""
