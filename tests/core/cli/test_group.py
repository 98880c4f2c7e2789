"""`ot` finds commands, and turns errors into messages and exit codes."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from offline_trainer_core.cli.group import SUMMARIES

HELLO = """
import click

@click.command("hello")
@click.argument("name")
def command(name):
    "Greet NAME."
    click.echo(f"hello {name}")
"""
FAILING = """
import click
from offline_trainer_core.errors import DataError, RunStopped

@click.command("fail")
@click.argument("how")
def command(how):
    if how == "announced":
        raise DataError("the dataset is empty") from ValueError("no rows")
    if how == "stopped":
        raise RunStopped("at step 7")
    if how == "interrupted":
        raise KeyboardInterrupt
    int("seven")
"""
NOT_A_COMMAND = "def command(): ..."


@pytest.fixture
def plugin_commands(site) -> None:
    commands = {"hello": "greeting:command", "fail": "failing:command", "plain": "plain:command"}
    modules = {"greeting.py": HELLO, "failing.py": FAILING, "plain.py": NOT_A_COMMAND}
    site.add("ot-greeting", {"offline_trainer.commands": commands}, modules)


@pytest.mark.parametrize("name", SUMMARIES)
def test_help_repeats_what_each_command_says_of_itself(name) -> None:
    command = import_module(f"offline_trainer_core.cli.{name}").command
    assert command.name == name
    assert command.help.splitlines()[0] == SUMMARIES[name]


@pytest.mark.usefixtures("plugin_commands")
def test_an_advertised_command_runs(ot) -> None:
    assert ot("hello", "world").stdout == "hello world\n"


@pytest.mark.usefixtures("plugin_commands")
def test_a_command_of_two_packages_asks_which_and_takes_the_answer(site, ot) -> None:
    site.add("ot-other", {"offline_trainer.commands": {"hello": "greeting:command"}})
    undecided = ot("hello", "world")
    assert undecided.returncode == 3
    assert "hello@ot-greeting or hello@ot-other" in undecided.stderr
    assert ot("hello@ot-other", "world").stdout == "hello world\n"


@pytest.mark.usefixtures("plugin_commands")
def test_something_else_than_a_command_is_refused_by_name(ot) -> None:
    done = ot("plain")
    assert done.returncode == 3
    assert "'plain' of ot-greeting 1.0 (plain:command) is no click command" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelled_command_is_answered_with_the_nearest(ot) -> None:
    done = ot("plugns")
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no command 'plugns'; did you mean 'plugins'?\n")


def test_a_misspelled_option_is_one_message(ot) -> None:
    done = ot("components", "--knd", "loss")
    assert done.returncode == 2
    assert "--knd" in done.stderr
    assert "ot components --help says more" in done.stderr


@pytest.mark.usefixtures("plugin_commands")
def test_an_announced_error_is_a_message_with_its_cause_and_exit_code(ot) -> None:
    done = ot("fail", "announced")
    assert done.returncode == 4
    assert done.stderr == "error: the dataset is empty\n  caused by ValueError: no rows\n"
    assert done.stdout == ""


@pytest.mark.usefixtures("plugin_commands")
def test_an_unexpected_error_shows_the_components_frames_and_blames_it(ot) -> None:
    done = ot("fail", "unexpectedly")
    assert done.returncode == 1
    assert 'int("seven")' in done.stderr
    assert "cli/group.py" not in done.stderr
    assert "'failing' failed" in done.stderr


@pytest.mark.usefixtures("plugin_commands")
def test_a_stopped_run_is_no_error_and_says_that_it_can_go_on(ot) -> None:
    done = ot("fail", "stopped")
    assert (done.returncode, done.stderr) == (75, "stopped: at step 7\n")


@pytest.mark.usefixtures("plugin_commands")
def test_an_interrupt_ends_quietly_with_130(ot) -> None:
    done = ot("fail", "interrupted")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_the_version_names_python_and_torch_without_loading_it(ot) -> None:
    shown = ot("--version").stdout
    assert shown.startswith("ot 0.")
    assert "Python 3." in shown


def test_output_to_a_file_has_no_colour(ot) -> None:
    done = ot("components", "--knd")
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x1b" not in ot("info", "no.such").stderr


def test_garbage_is_collected_in_what_lives_on_and_not_in_what_ends_in_a_blink() -> None:
    program = (
        "import gc\nfrom offline_trainer_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print(gc.isenabled())"
    )

    def collects(*arguments: str) -> bool:
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
        return done.stdout.splitlines()[-1] == "True"

    assert not collects("check", "--help")
    assert collects("run", "--help")
