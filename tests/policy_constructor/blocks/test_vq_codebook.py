"""The codebook beside its equations."""

import torch

from ot_policy_constructor.blocks.vq_codebook import VQCodebook


def batch(step, rows=24, dim=3):
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(step))


def test_every_vector_becomes_the_nearest_code():
    codebook = VQCodebook(dim=3, codes=16).eval()
    x = batch(0).view(4, 6, 3)
    outputs = codebook(x)
    nearest = torch.cdist(x, codebook.codes).argmin(-1)
    assert torch.equal(outputs["indices"], nearest)
    assert torch.equal(outputs["quantized"], codebook.codes[nearest])
    assert torch.equal(codebook.decode(outputs["indices"]), outputs["quantized"])
    torch.testing.assert_close(outputs["commitment_loss"], (x - codebook.codes[nearest]).square().mean())


def test_the_gradient_passes_straight_through():
    codebook = VQCodebook(dim=3, codes=16)
    x = batch(0).requires_grad_()
    weights = batch(1)
    (codebook(x)["quantized"] * weights).sum().backward()
    assert torch.equal(x.grad, weights)


def test_the_commitment_loss_pulls_towards_the_codes():
    codebook = VQCodebook(dim=3, codes=16).eval()
    x = batch(0).requires_grad_()
    outputs = codebook(x)
    outputs["commitment_loss"].backward()
    torch.testing.assert_close(x.grad, 2 * (x - outputs["quantized"]).detach() / x.numel())


def test_codes_are_running_means_as_in_the_paper():
    codebook = VQCodebook(dim=3, codes=5, decay=0.9, dead_below=0)
    codes, counts, sums = codebook.codes.clone(), torch.zeros(5), torch.zeros(5, 3)
    for step in range(20):
        x = batch(step)
        nearest = torch.cdist(x, codes).argmin(-1)
        codebook(x)
        for code in range(5):
            mine = x[nearest == code]
            counts[code] = 0.9 * counts[code] + 0.1 * len(mine)
            sums[code] = 0.9 * sums[code] + 0.1 * mine.sum(0)
            if counts[code] > 0:
                codes[code] = sums[code] / counts[code]
        torch.testing.assert_close(codebook.codes, codes)
        torch.testing.assert_close(codebook.counts, counts)


def test_buffers_change_in_training_only():
    codebook = VQCodebook(dim=3, codes=8)
    before = {name: value.clone() for name, value in codebook.state_dict().items()}
    codebook.eval()(batch(0))
    assert all(torch.equal(codebook.state_dict()[name], value) for name, value in before.items())
    codebook.train()(batch(0))
    assert not any(torch.equal(codebook.state_dict()[name], value) for name, value in before.items())


def test_dead_codes_become_vectors_of_the_batch_and_count_as_average_ones():
    codebook = VQCodebook(dim=3, codes=8)
    codebook(batch(0))
    with torch.no_grad():
        codebook.codes[3] = 1000.0  # far from everything
        codebook.counts[3] = 0.0
    x = batch(1)
    codebook(x)
    assert (x == codebook.codes[3]).all(1).any()
    torch.testing.assert_close(codebook.sums[3], codebook.counts[3] * codebook.codes[3])
    others = torch.cat([codebook.counts[:3], codebook.counts[4:]])
    torch.testing.assert_close(codebook.counts[3], others.sum() / 8)


def test_with_replacement_all_codes_find_use_and_without_it_few_do():
    clusters = 10 * torch.randn(32, 4, generator=torch.Generator().manual_seed(0)) + 50
    used = {}
    for dead_below in (0.0, 0.1):
        torch.manual_seed(0)
        codebook = VQCodebook(dim=4, codes=32, dead_below=dead_below)
        for step in range(100):
            rows = torch.randint(32, (256,), generator=torch.Generator().manual_seed(step))
            perplexity = codebook(clusters[rows] + 0.1 * batch(step, 256, 4))["perplexity"]
        used[dead_below] = perplexity
    assert used[0.0] < 4 < 24 < used[0.1]


def test_perplexity_counts_the_codes_in_use():
    codebook = VQCodebook(dim=1, codes=4).eval()
    codebook.codes.copy_(torch.arange(4.0)[:, None])
    values = {(0.0,) * 6: 1.0, (0.0, 1.0) * 3: 2.0, (0.0, 1.0, 2.0, 3.0): 4.0}
    for vectors, expected in values.items():
        found = codebook(torch.tensor(vectors)[:, None])["perplexity"]
        torch.testing.assert_close(found, torch.tensor(expected))


def test_draws_are_spread_over_the_batch_without_repetition():
    codebook = VQCodebook(dim=1, codes=64)
    rows = torch.arange(1000.0)[:, None]
    first, second = codebook._draw(rows).squeeze(1), codebook._draw(rows).squeeze(1)
    both = torch.cat([first, second]).sort().values
    assert len(both.unique()) == 128
    assert both.diff().max() < 30


def test_a_codebook_that_was_saved_goes_on_to_the_bit():
    codebook, resumed = VQCodebook(dim=3, codes=32, decay=0.8), VQCodebook(dim=3, codes=32, decay=0.8)
    for step in range(10):
        codebook(batch(step))
    resumed.load_state_dict(codebook.state_dict())
    before = codebook.codes.clone()
    for step in range(10, 20):
        expected, outputs = codebook(batch(step)), resumed(batch(step))
        assert all(torch.equal(outputs[name], value) for name, value in expected.items())
    assert (codebook.codes != before).any(1).all()
    assert all(torch.equal(resumed.state_dict()[name], value) for name, value in codebook.state_dict().items())


def test_the_nearest_code_is_found_in_float32_under_autocast():
    codebook = VQCodebook(dim=8, codes=256).eval()
    x = batch(0, 500, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(codebook(x)["indices"], torch.cdist(x, codebook.codes).argmin(-1))
    assert codebook(x.bfloat16())["quantized"].dtype == torch.bfloat16
