"""`eval.*`: how good a policy is; and policies to compare it with."""
