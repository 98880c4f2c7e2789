"""Heads: the last part of a policy, which makes a distribution over actions of features.

Each maps features `(..., D)` to a mapping of parameters, and offers, for actions `(..., T, A)` or `(..., A)`:
`log_prob(parameters, actions)`, of every action, `(..., T)` or `(...)`; `mode(parameters)`; `sample(parameters, noise)`
with standard normal `noise` of the shape of the actions. Parameters are float32 in every precision.
"""
