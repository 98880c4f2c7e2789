"""Files that rows and episodes are read from, one format a module."""
