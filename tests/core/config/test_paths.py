"""Dotted paths: joining and splitting are inverse to each other, whatever the keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer_core.config import join_path, parent_path, split_path
from offline_trainer_core.errors import UsageError

KEYS = st.lists(st.one_of(st.text(max_size=5), st.text(alphabet='.[]"=+~a\\ ', max_size=4), st.integers(-9, 99)))


def joined(keys):
    path = ""
    for key in keys:
        path = join_path(path, key)
    return path


@given(KEYS)
def test_splitting_undoes_joining(keys):
    assert split_path(joined(keys)) == tuple(keys)


@given(KEYS.filter(bool))
def test_the_parent_is_the_path_without_its_last_key(keys):
    assert parent_path(joined(keys)) == joined(keys[:-1])


def test_paths_look_as_people_write_them():
    assert joined(["model", "layers", 0, "in_channels"]) == "model.layers[0].in_channels"
    assert joined(["groups", "encoder.*", "lr"]) == 'groups["encoder.*"].lr'
    assert split_path("callbacks[-1].monitor") == ("callbacks", -1, "monitor")


@pytest.mark.parametrize("path", ["a..b", ".a", "a.", "a[", "a[x]", "a]", "a[0", 'a["x]', 'a["\\x"]', "a=b", "a b"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(UsageError, match="not a path"):
        split_path(path)
