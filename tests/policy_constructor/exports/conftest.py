"""Policies of every family, untrained, with normalizers that change something."""

import pytest
import torch
from torch import nn

from offline_trainer_core.networks import Normalizer, PolicyModule
from ot_policy_constructor import build_model

HORIZON, ACTION, STATE = 8, 2, 5
CROP = {"_type_": "block.random_crop", "size": [32, 32]}


class Direct:
    """Acts with what a network makes of the fields that its inputs name."""

    def __init__(self, network, **fields):
        self.network = network
        self.fields = fields

    def act(self, observation):
        return self.network(**{name: observation[field] for name, field in self.fields.items()})


class EulerFlow:
    """Follows a velocity field from noise to actions, in equal steps."""

    noise_shape = (HORIZON, ACTION)

    def __init__(self, encoder, velocity, fields, steps=2):
        self.encoder, self.velocity, self.fields, self.steps = encoder, velocity, fields, steps

    def act(self, observation, noise):
        context = self.encoder(**{name: observation[field] for name, field in self.fields.items()})
        actions = noise
        for step in range(self.steps):
            time = torch.full((noise.shape[0],), step / self.steps, device=noise.device)
            actions = actions + self.velocity(actions=actions, time=time, **context) / self.steps
        return actions


def graph(inputs, modules, nodes, outputs):
    model = {"graph": {"inputs": inputs, "modules": modules, "nodes": nodes, "outputs": outputs}}
    return build_model({"schema_version": 1, "model": model})


def mlp():
    network = graph(
        ["state"],
        {"net": {"_type_": "block.mlp", "dims": [STATE, 32, ACTION], "norm": "LayerNorm"}},
        [{"name": "action", "call": "module:net", "args": ["$state"]}],
        ["$action"],
    )
    return Direct(network, state="observation.state"), {"net": network}


def transformer():
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    network = nn.Sequential(
        nn.Unflatten(1, (STATE, 1)), nn.Linear(1, 16), nn.TransformerEncoder(layer, 2), nn.Flatten()
    )
    network = nn.ModuleDict({"tokens": network, "head": nn.Linear(16 * STATE, HORIZON * ACTION)})

    class Act:
        def act(self, observation):
            features = network["tokens"](observation["observation.state"])
            return network["head"](features).unflatten(-1, (HORIZON, ACTION))

    return Act(), dict(network.items())


def convolutional():
    """Two fields, one of them recorded pixels; GroupNorm; several operations of the graph language."""
    modules = {
        "pixels": {"_type_": "block.image_input", "normalize": "imagenet", "augment": [CROP]},
        "conv": {"_type_": "nn.Conv2d", "in_channels": 3, "out_channels": 8, "kernel_size": 3, "stride": 2},
        "norm": {"_type_": "nn.GroupNorm", "num_groups": 4, "num_channels": 8},
        "points": {"_type_": "block.spatial_softmax"},
        "head": {"_type_": "block.mlp", "dims": [16 + STATE, 32, 2 * ACTION]},
    }
    nodes = [
        {"name": "image_", "call": "module:pixels", "args": ["$image"]},
        {"name": "seen", "call": "module:conv", "args": ["$image_"]},
        {"name": "normed", "call": "module:norm", "args": ["$seen"]},
        {"name": "where", "call": "module:points", "args": ["$normed"]},
        {"name": "both", "call": "op:cat", "args": [["$where", "$state"]]},
        {"name": "features", "call": "module:head", "args": ["$both"]},
        {"name": "parts", "call": "op:chunk", "args": ["$features"], "kwargs": {"chunks": 2}, "out": ["mean", "shift"]},
        {"name": "action", "call": "op:add", "args": ["$mean", "$shift"]},
    ]
    network = graph(["image", "state"], modules, nodes, ["$action"])
    return Direct(network, image="observation.image", state="observation.state"), {"net": network}


def flow():
    """A camera and a state become tokens, once; a transformer is called with them in every step of the sampler."""
    patches = {"image_size": 32, "patch_size": 16, "dim": 16, "depth": 1, "heads": 2}
    modules = {
        "pixels": {"_type_": "block.image_input", "resize": [32, 32]},
        "patches": {"_type_": "block.vision_transformer", **patches},
        "state_token": {"_type_": "block.mlp", "dims": [STATE, 16]},
    }
    nodes = [
        {"name": "image_", "call": "module:pixels", "args": ["$image"]},
        {"name": "seen", "call": "module:patches", "args": ["$image_"]},
        {"name": "felt", "call": "module:state_token", "args": ["$state"]},
        {"name": "felt_token", "call": "op:unsqueeze", "args": ["$felt", 1]},
        {"name": "tokens", "call": "op:cat", "args": [["$seen", "$felt_token"]], "kwargs": {"dim": 1}},
    ]
    encoder = graph(["image", "state"], modules, nodes, {"tokens": "$tokens"})
    sizes = {"action_dim": ACTION, "horizon": HORIZON, "dim": 16, "depth": 1, "heads": 2, "tokens_dim": 16}
    given = {name: f"${name}" for name in ("actions", "time", "tokens")}
    call = {"name": "velocity", "call": "module:net", "kwargs": given}
    velocity = graph(list(given), {"net": {"_type_": "block.action_transformer", **sizes}}, [call], ["$velocity"])
    fields = {"image": "observation.image", "state": "observation.state"}
    return EulerFlow(encoder, velocity, fields), {"encoder": encoder, "velocity": velocity}


def unet():
    modules = {
        "net": {
            "_type_": "block.temporal_unet",
            "action_dim": ACTION,
            "context_dim": 16,
            "time_dim": 16,
            "widths": [8, 16],
        }
    }
    call = {"name": "velocity", "call": "module:net", "args": ["$actions", "$time", "$context"]}
    velocity = graph(["actions", "time", "context"], modules, [call], ["$velocity"])
    encoder = graph(
        ["state"],
        {"net": {"_type_": "block.mlp", "dims": [STATE, 16]}},
        [{"name": "context", "call": "module:net", "args": ["$state"]}],
        {"context": "$context"},
    )
    return EulerFlow(encoder, velocity, {"state": "observation.state"}), {"encoder": encoder, "velocity": velocity}


FAMILIES = {"mlp": mlp, "transformer": transformer, "convolutional": convolutional, "flow": flow, "unet": unet}


def statistics(size):
    ramp = torch.arange(size).float()
    return {"mean": ramp, "std": 1 + ramp, "min": -3 - ramp, "max": 5 + 2 * ramp}


def make_policy(algorithm, networks):
    modes = {"observation.state": "mean_std", "action": "min_max"}
    known = {"observation.state": statistics(STATE), "action": statistics(ACTION)}
    policy = PolicyModule(algorithm, networks, Normalizer(modes, known)).eval()
    with torch.no_grad():
        for parameter in policy.parameters():  # some networks begin with zeros, which hides what they compute
            parameter.add_(0.02 * torch.randn_like(parameter))
    return policy


def make_inputs(policy, rows, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    observation = {
        "observation.state": torch.randn(rows, STATE, generator=generator),
        "observation.image": torch.randint(256, (rows, 40, 40, 3), dtype=torch.uint8, generator=generator),
    }
    shape = policy.noise_shape
    return observation, None if shape is None else torch.randn(rows, *shape, generator=generator)


@pytest.fixture(scope="session")
def policies():
    """Return a policy of every family."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {name: make_policy(*family()) for name, family in FAMILIES.items()}


@pytest.fixture(scope="session")
def inputs_of():
    """Return what makes the inputs of a policy: `(policy, rows)` to `(observation, noise)`."""
    return make_inputs


@pytest.fixture(scope="session")
def policy_that():
    """Return what makes a policy that acts by a function of the state."""

    def make(act, networks=()):
        algorithm = type("Acting", (), {"act": lambda self, observation: act(observation["observation.state"])})
        return make_policy(algorithm(), dict(networks))

    return make
