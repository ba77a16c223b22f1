"""Arguments by PyTorch's names, and dtypes, devices and gradients of new tensors."""

import numpy as np
import pytest

import minigan
from minigan import tensor


def test_dims_and_shapes_by_name():
    x = tensor(np.arange(24.0).reshape(2, 3, 4))
    assert minigan.reshape(input=x, shape=(6, 4)).shape == (6, 4)
    assert minigan.permute(x, dims=(2, 0, 1)).shape == (4, 2, 3)
    assert minigan.equal(x.flip(dims=[0, 2]), x.flip(0, 2))
    assert minigan.tile(x, dims=(2,)).shape == (2, 3, 8)
    assert minigan.equal(minigan.max(x, other=-x), x.abs())


def test_dimensions_moved_and_reversed():
    a = np.arange(24.0).reshape(2, 3, 4)
    x = tensor(a)
    for source, target in ((0, 2), (-1, 0), ((0, 1), (2, 0)), ((2, 0), (0, 1))):
        assert np.array_equal(x.movedim(source, target).numpy(), np.moveaxis(a, source, target))
    assert np.array_equal(x.T.numpy(), a.T) and x.mT.shape == (2, 4, 3)
    assert x.select(1, -1).tolist() == a[:, -1].tolist()
    with pytest.raises(IndexError, match="select: index 3 is out of range for length 3"):
        x.select(1, 3)
    with pytest.raises(RuntimeError, match="movedim: expected as many different destinations"):
        x.movedim((0, 1), (0,))


def test_repeat_interleave_is_numpys_repeat():
    a = np.arange(6.0).reshape(2, 3)
    assert tensor(a).repeat_interleave(2).tolist() == np.repeat(a, 2).tolist()
    found = tensor(a).repeat_interleave(tensor([0, 2, 1]), dim=1)
    assert found.tolist() == np.repeat(a, [0, 2, 1], axis=1).tolist()
    with pytest.raises(RuntimeError, match="one for each of 3 entries"):
        tensor(a).repeat_interleave(tensor([1, 2]), dim=1)


def test_ints_beside_index_arrays_keep_the_order_of_dimensions():
    """NumPy would move the indexed dimension to the front."""
    a = np.arange(24.0).reshape(2, 3, 4)
    x = tensor(a, requires_grad=True)
    assert x[0, :, [1, 2]].tolist() == a[0][:, [1, 2]].tolist()
    assert x[tensor(1), :, tensor([0, 3])].tolist() == a[1][:, [0, 3]].tolist()
    assert x[..., [0, 1], 2].tolist() == a[..., 2][:, [0, 1]].tolist()
    mask = tensor([True, False, True])
    assert x[1, None, mask].tolist() == a[1][None, [0, 2]].tolist()
    (g,) = minigan.grad(x[0, :, [1, 1]].sum(), x)
    assert g.sum().item() == 6 and g[0, :, 1].tolist() == [2, 2, 2]


def test_cat_passes_over_vectors_of_nothing():
    x = minigan.ones(2, 3)
    assert minigan.cat([minigan.zeros(0), x, minigan.zeros(0)], 1).shape == (2, 3)
    assert minigan.cat([minigan.zeros(0), minigan.ones(2)]).shape == (2,)


def test_options_of_new_tensors():
    x = minigan.zeros(2, dtype="float64")
    for f in (minigan.zeros_like, minigan.ones_like, minigan.empty_like):
        y = f(x, dtype=minigan.float, device="cpu", requires_grad=True)
        assert y.dtype == np.float32 and y.requires_grad and y.shape == (2,)
        with pytest.raises(TypeError, match="expected a Tensor, got list"):
            f([1.0])
    assert minigan.arange(start=1, end=6, step=2).tolist() == [1, 3, 5]
    assert minigan.arange(end=2).tolist() == [0, 1]
    assert minigan.linspace(0, 1, 3, requires_grad=True).requires_grad
    for call, message in (
        (lambda: minigan.arange(5, 0), "arange: a step of 1 does not lead from 5 to 0"),
        (lambda: minigan.arange(0, 5, 0), "arange: a step of 0 does not lead from 0 to 5"),
        (lambda: minigan.zeros(-1), "zeros: expected lengths of at least 0"),
        (lambda: minigan.eye(-1), "eye: expected lengths of at least 0"),
    ):
        with pytest.raises(RuntimeError, match=message):
            call()


def test_to_and_device_in_all_their_forms():
    x = minigan.ones(2)
    assert x.to("cpu", non_blocking=True) is x and x.to(x.device, minigan.long).tolist() == [1, 1]
    assert x.to(x.dtype, copy=True) is not x
    assert minigan.device("cuda", 1) == "cuda:1" and minigan.device(type="cpu") == x.device
    assert minigan.device(2).index == 2 and not x.is_cuda
    assert x.nelement() == 2 and x.element_size() == 4 and x.is_contiguous()
    assert (
        minigan.zeros(2, 3).t().stride() == (1, 3) and not minigan.zeros(2, 3).t().is_contiguous()
    )


def test_what_scripts_ask_of_cuda_does_nothing_without_a_gpu():
    if not minigan.cuda.is_available():
        minigan.cuda.manual_seed(1)
        minigan.cuda.manual_seed_all(1)
        minigan.cuda.empty_cache()
        minigan.cuda.synchronize()
        assert minigan.cuda.device_count() == 0


def test_logarithms_of_other_bases():
    x = tensor([1.0, 2.0, 1000.0], dtype="float64")
    np.testing.assert_allclose(x.log2().numpy(), np.log2(x.numpy()), rtol=1e-15)
    np.testing.assert_allclose(x.log10().numpy(), np.log10(x.numpy()), rtol=1e-15)
