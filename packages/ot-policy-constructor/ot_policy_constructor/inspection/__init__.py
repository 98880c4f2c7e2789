"""What a policy is made of: every module with its shapes, parameters and cost, and a picture of the whole."""
