"""`ot export`: writes the policy of a run in a format that runs elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from offline_trainer_core.cli.options import overrides_argument, traceback_option
from offline_trainer_core.cli.screen import print_table
from offline_trainer_core.deploy import export_policy

if TYPE_CHECKING:
    from offline_trainer_core.deploy import Exported

__all__ = ["command"]


@click.command("export")
@click.argument("run", metavar="RUN")
@overrides_argument
@click.option("--format", "name", required=True, metavar="FORMAT", help="safetensors, torch.export, onnx, ...")
@click.option("--checkpoint", metavar="last|best|NAME|PATH", help="Whose weights; the best if there is one, else last.")
@click.option("-o", "folder", metavar="FOLDER", help="Where to write; by default below exports/ in the folder of RUN.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@traceback_option
def command(
    run: str, overrides: tuple[str, ...], name: str, checkpoint: str | None, folder: str | None, as_json: bool
) -> None:
    """Write the policy of a run in a format that runs elsewhere.

    RUN is the folder of a run. An OVERRIDE changes its data, of which one batch is read: data.path=... What is written
    must act as the policy does when a fresh process loads it; else nothing is left behind.
    """
    exported = export_policy(run, name, folder, checkpoint=checkpoint, overrides=overrides)
    if as_json:
        passport = json.loads((exported.folder / "policy.json").read_text())
        click.echo(json.dumps({"folder": str(exported.folder), **passport}, indent=2))
    else:
        _print(exported)


def _print(exported: Exported) -> None:
    passport = exported.passport
    rows = [(name, f"{each['dtype']} {_shape(each['shape'])}") for name, each in passport.observation.items()]
    if passport.noise_shape is not None:
        rows.append(("(noise)", f"float32 {_shape(passport.noise_shape)}"))
    rows.append((f"→ {passport.action['field']}", f"{passport.action['dtype']} {_shape(passport.action['shape'])}"))
    print_table(["field", "type and shape"], rows, fold=0)
    apart = ", ".join(f"{difference:.1e} at batch {size}" for size, difference in passport.parity.items())
    size = sum(entry["size"] for entry in passport.files.values())
    source = passport.source
    click.echo(f"policy      {source['run']}, {source['checkpoint']} (step {source['step']})")
    click.echo(f"parity      {apart}")
    click.echo(f"written to  {exported.folder} ({size / 2**20:.1f} MiB)")


def _shape(shape: list[int]) -> str:
    return f"({', '.join(('B', *map(str, shape)))})"
