"""The head of policies that know several ways: a mixture of Gaussians."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from offline_trainer_core import PositiveInt
from ot_policy_constructor.blocks.heads.gaussian import check_bounds, normal_log_prob
from ot_policy_constructor.blocks.heads.inversion import draw, draw_and_renew
from ot_policy_constructor.blocks.heads.projection import check_action_shape, projection


class MixtureHead(nn.Module):
    """A mixture of `components` diagonal Gaussians (Bishop 1994; the GMM policies of Mandlekar et al. 2021).

    Features `(..., D)` to `{logits: (..., K), mean: (..., K, *action_shape), log_std: (..., K, *action_shape)}`. A
    component is one way to act in all of a chunk. With `low_noise_eval`, a sample in eval mode is the mean of a
    component that is drawn with its probability, as the small deviations of robomimic's evaluation amount to.
    Null for `in_features` takes it from the first batch; `log_std` is clamped to `log_std_bounds`.
    Raises `ValueError` on a shape that is not an action's and on bounds in the wrong order.
    """

    def __init__(
        self,
        action_shape: Sequence[PositiveInt],
        components: PositiveInt = 5,
        in_features: PositiveInt | None = None,
        log_std_bounds: tuple[float, float] = (-5.0, 2.0),
        low_noise_eval: bool = True,
    ) -> None:
        super().__init__()
        self.action_shape = check_action_shape(action_shape)
        self.bounds = check_bounds(log_std_bounds)
        self.low_noise_eval = low_noise_eval
        self.logits = projection(in_features, (components,))
        self.mean = projection(in_features, (components, *self.action_shape))
        self.log_std = projection(in_features, (components, *self.action_shape))

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Return the parameters."""
        return {
            "logits": self.logits(features).float(),
            "mean": self.mean(features).float(),
            "log_std": self.log_std(features).float().clamp(*self.bounds),
        }

    def log_prob(self, parameters: Mapping[str, Tensor], actions: Tensor) -> Tensor:
        """Return the log-density of each action: `(..., T, A)` to `(..., T)`, `(..., A)` to `(...)`.

        In a chunk it is that of an action given those before it: they say by which component the chunk was made. The
        sum over a chunk is its log-density, and the sum over its first actions is theirs, so that padding at the end
        can be left out.
        """
        each = self._axis_of_components(actions.float())
        densities = normal_log_prob(each, parameters["mean"], parameters["log_std"]).sum(-1)
        weights = parameters["logits"].log_softmax(-1)
        if len(self.action_shape) == 1:
            return (weights + densities).logsumexp(-1)
        until_here = (weights.unsqueeze(-1) + densities.cumsum(-1)).logsumexp(-2)
        return torch.diff(until_here, prepend=torch.zeros_like(until_here[..., :1]))

    def mode(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the mean of the most probable component."""
        return self._of(parameters["mean"], parameters["logits"].argmax(-1))

    def sample(self, parameters: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Return the action that standard normal noise of its shape stands for.

        The first number of the noise tells the component. Gradients reach means and deviations, and not the weights.
        """
        flat = noise.flatten(-len(self.action_shape))
        if self.low_noise_eval and not self.training:
            return self._of(parameters["mean"], draw(parameters["logits"], flat[..., 0]))
        choice, renewed = draw_and_renew(parameters["logits"], flat[..., 0])
        noise = torch.cat([renewed.unsqueeze(-1), flat[..., 1:]], dim=-1).reshape(noise.shape)
        mean, log_std = (self._of(parameters[name], choice) for name in ("mean", "log_std"))
        return mean + log_std.exp() * noise

    def _of(self, values: Tensor, choice: Tensor) -> Tensor:
        """Return what the chosen component has: `(..., K, *action_shape)` to `(..., *action_shape)`."""
        axis = choice.ndim
        index = choice.reshape(*choice.shape, *[1] * (1 + len(self.action_shape)))
        return values.gather(axis, index.expand(*choice.shape, 1, *self.action_shape)).squeeze(axis)

    def _axis_of_components(self, actions: Tensor) -> Tensor:
        return actions.unsqueeze(-1 - len(self.action_shape))
