"""The picture of a policy: what is drawn, where it goes, how it looks."""
