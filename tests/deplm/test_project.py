import pytest
import torch

from deplm.project import project


@pytest.mark.parametrize("shape", [(5, 3), (4, 7, 20), (1, 1, 105)])
def test_agrees_with_the_plain_product(shape):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(shape, generator=generator)
    weights = torch.randn(shape[-1], 33, generator=generator)
    expected = inputs.double() @ weights.double()
    torch.testing.assert_close(project(inputs, weights).double(), expected, rtol=0, atol=1e-5)


def test_rows_of_a_matrix_may_be_cut():
    inputs, weights = torch.randn(6, 8), torch.randn(20, 5)
    torch.testing.assert_close(project(inputs, weights[12:]), inputs @ weights[12:])


def test_runs_without_onednn(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    inputs, weights = torch.randn(6, 8), torch.randn(8, 5)
    assert torch.equal(project(inputs, weights), inputs @ weights)
