"""A command of `ot`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--env", required=True, help="Name of a Gymnasium environment, such as Pendulum-v1.")
@click.option("--policy", required=True, help="Key of a policy component, such as policy.examples.pendulum_swing_up.")
@click.option("--episodes", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--noise", default=0.0, show_default=True, help="Deviation of the action noise, in halves of the range.")
@click.option("--seed", default=0, show_default=True, help="Seed of the first episode; the others count up.")
@click.option("--out", default="demonstrations.npz", show_default=True, type=click.Path(path_type=Path))
def record(env: str, policy: str, episodes: int, noise: float, seed: int, out: Path) -> None:
    """Record demonstrations of a policy in an environment."""
    # Imported here, so that `ot record --help` stays quick.
    import gymnasium

    from offline_trainer_core import UsageError, build_registry
    from ot_example_plugins import recording

    actor = build_registry().get_module(policy).target()
    try:
        arrays = recording.record(env, actor, episodes=episodes, noise=noise, seed=seed)
    except gymnasium.error.Error as error:
        raise UsageError(f"--env {env}: {error}") from error
    recording.write(out, arrays)
    total, count = arrays["reward"].sum(), len(arrays["episode_ends"])
    click.echo(f"{out}: {count} episodes, {len(arrays['reward'])} transitions, mean return {total / count:.1f}")
