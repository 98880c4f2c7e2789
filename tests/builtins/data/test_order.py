from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer_core.errors import DataError
from ot_builtins.data.order import EpochOrder, Order, ReplacementOrder, training_order, validation_order
from ot_builtins.data.placement import Placement

OrderOf = Callable[[Placement], Order]


def batches(order: Order, epoch: int, start: int = 0) -> list[list[int]]:
    return [order.rows(epoch, k, k + 1).tolist() for k in range(start, len(order))]


@given(
    world_size=st.integers(1, 4),
    each=st.integers(1, 5),
    rows=st.integers(4, 90),
    epoch=st.integers(0, 3),
    seed=st.integers(),
)
def test_the_shares_of_all_processes_make_up_the_batch_of_one(
    world_size: int, each: int, rows: int, epoch: int, seed: int
) -> None:
    orders: list[OrderOf] = [
        lambda p: EpochOrder(rows, each * world_size, p, shuffle=True, drop_last=True),
        lambda p: EpochOrder(rows, each * world_size, p, shuffle=False, drop_last=False),
        lambda p: ReplacementOrder(rows, each * world_size, p, steps=3),
    ]
    for make in orders:
        whole = batches(make(Placement(seed)), epoch)
        shares = [batches(make(Placement(seed, rank, world_size)), epoch) for rank in range(world_size)]
        joined = [[row for share in shares for row in share[k : k + 1] for row in row] for k in range(len(whole))]
        assert joined == whole


@pytest.mark.parametrize("rank", [0, 1])
def test_a_start_at_batch_k_gives_the_batches_from_k_on(rank: int) -> None:
    for make in (
        lambda p: EpochOrder(103, 10, p, shuffle=True, drop_last=False),
        lambda p: ReplacementOrder(103, 10, p, steps=600),
    ):
        uninterrupted = batches(make(Placement(7, rank, 2)), epoch=3)
        for k in (0, 1, 9, len(uninterrupted) - 1):
            assert batches(make(Placement(7, rank, 2)), epoch=3, start=k) == uninterrupted[k:]


@given(start=st.integers(0, 600), length=st.integers(1, 600))
def test_several_batches_at_once_are_those_batches_one_by_one(start: int, length: int) -> None:
    order = ReplacementOrder(50, 4, Placement(1), steps=1200)
    one_by_one = torch.cat([order.rows(2, k, k + 1) for k in range(start, start + length)])
    assert torch.equal(order.rows(2, start, start + length), one_by_one)


def test_an_epoch_has_every_row_once_and_every_epoch_another_order() -> None:
    order = EpochOrder(100, 10, Placement(seed=5), shuffle=True, drop_last=True)
    first, second, again = (order.rows(epoch, 0, 10).tolist() for epoch in (0, 1, 0))
    assert sorted(first) == sorted(second) == list(range(100))
    assert first == again
    assert first != second
    assert first != EpochOrder(100, 10, Placement(seed=6), shuffle=True, drop_last=True).rows(0, 0, 10).tolist()


def test_draws_with_replacement_are_uniform_and_repeat_rows() -> None:
    drawn = ReplacementOrder(10, 100, Placement(), steps=300).rows(0, 0, 300)
    counts = torch.bincount(drawn, minlength=10)
    assert len(drawn) == 30000
    assert counts.min() > 2800
    assert counts.max() < 3200


def test_a_short_last_batch_is_dropped_or_kept_as_asked() -> None:
    assert len(training_order(25, 10, Placement())) == 2
    kept = training_order(25, 10, Placement(), drop_last=False)
    assert [len(batch) for batch in batches(kept, 0)] == [10, 10, 5]


def test_the_last_validation_batch_is_split_as_evenly_as_it_goes() -> None:
    sizes = [[len(batch) for batch in batches(validation_order(14, 8, Placement(0, rank, 4)), 0)] for rank in range(4)]
    assert sizes == [[2, 2], [2, 2], [2, 1], [2, 1]]
    assert [len(validation_order(9, 8, Placement(0, rank, 4))) for rank in range(4)] == [2, 1, 1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: training_order(100, 10, Placement(0, 0, 4)), "batch_size 10 cannot be split over 4 processes"),
        (lambda: training_order(100, 0, Placement()), "batch_size is 0"),
        (lambda: training_order(9, 10, Placement()), "9 rows to train on do not fill one batch of 10"),
        (lambda: training_order(0, 10, Placement(), drop_last=False), "no rows to train on"),
        (lambda: training_order(101, 4, Placement(0, 0, 2), drop_last=False), "2 processes cannot share evenly"),
        (lambda: validation_order(3, 4, Placement(0, 0, 4)), "3 rows to validate on cannot be shared by 4"),
    ],
)
def test_what_cannot_be_split_is_refused(make: Callable[[], Order], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make()
