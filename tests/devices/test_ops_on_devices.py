"""Every operation of the certificate on a GPU: values, gradients, dtypes and shapes of the CPU."""

import numpy as np
import pytest
from devices.alike import assert_alike, derivatives, on, outcome

from minigan import certificate, cli
from minigan.certificate import functions, public


def case(name):
    is_op = name in functions.FUNCTIONS
    module = functions if is_op else public
    shapes, program = (functions.FUNCTIONS if is_op else public.PUBLIC)[name]
    return shapes, program, name in module.POSITIVE


def operands(name, dtype):
    """Small numbers: float16 must not overflow in third powers of sums."""
    shapes, _, positive = case(name)
    rng = np.random.default_rng(len(name))
    draw = [rng.uniform(0.3, 1.7, s) if positive else rng.standard_normal(s) for s in shapes]
    return [np.asarray(a * (0.25 if dtype == "float16" else 1), dtype) for a in draw]


def check(name, arrays, device):
    program = case(name)[1]
    expected = outcome(lambda: derivatives(program, on("cpu", arrays)))
    found = outcome(lambda: derivatives(program, on(device, arrays)))
    assert_alike(expected, found, device, name)
    return expected


CONVOLUTIONS = {"Fprop", "FpropActivated", "Dgrad", "DgradActivated", "Wgrad"}
LONG_SUMS = CONVOLUTIONS | {"batch_norm", "instance_norm"}  # overflow float16


@pytest.mark.parametrize("name", certificate.names())
def test_values_and_two_gradients(cuda_device, name):
    for dtype in ("float64", "float32", *(["float16"] if name not in LONG_SUMS else [])):
        check(name, operands(name, dtype), cuda_device)


def strided(a):
    room = np.full([2 * n for n in a.shape], np.nan, a.dtype)
    view = room[(..., *[slice(0, 2 * n, 2) for n in a.shape])]
    view[...] = a
    return view


LAYOUTS = {
    "transposed": lambda a: np.array(a, order="F"),
    "strided": strided,
    "backwards": lambda a: np.array(a[(slice(None, None, -1),) * a.ndim])[
        (slice(None, None, -1),) * a.ndim
    ],
    "broadcast": lambda a: np.broadcast_to(a[..., :1], a.shape) if a.ndim else a,
}


@pytest.mark.parametrize("name", certificate.names())
def test_memory_layouts(cuda_device, name):
    def run(device, layout):
        xs = on("cpu", [LAYOUTS[layout](a) for a in operands(name, "float32")])
        if device != "cpu":  # a move makes memory contiguous: lay it out there
            xs = [laid_out(x.to(device).detach(), layout).requires_grad_() for x in xs]
        return derivatives(case(name)[1], xs)

    for layout in LAYOUTS:
        expected, found = outcome(run, "cpu", layout), outcome(run, cuda_device, layout)
        assert_alike(expected, found, cuda_device, f"{name} of {layout} operands")


def laid_out(x, layout):
    dims = range(x.ndim)
    if layout == "transposed":
        return x.permute(*reversed(dims)).contiguous().permute(*reversed(dims))
    if layout == "strided":
        wide = x.repeat_interleave(2, -1) if x.ndim else x
        return wide[..., ::2] if x.ndim else x
    if layout == "backwards":
        x.array = x.flip(tuple(dims)).array.copy()[(slice(None, None, -1),) * x.ndim]
        return x
    return x[..., :1].expand(x.shape) if x.ndim else x


# What is made for other shapes is refused alike.
FIXED = functions.FIXED | public.FIXED
ANY = [
    name
    for name in certificate.names()
    if name not in FIXED and {*case(name)[0]} <= {functions.GRID, functions.CUBE}
]


@pytest.mark.parametrize("name", ANY)
def test_numbers_and_nothing(cuda_device, name):
    for shape in ((), (0,), (2, 0, 3)):
        arrays = [np.full(shape, 0.7, np.float32) + i for i, _ in enumerate(case(name)[0])]
        check(name, arrays, cuda_device)


@pytest.mark.parametrize("name", sorted(public.PUBLIC))
def test_other_dtypes_or_the_same_refusal(cuda_device, name):
    """Integers, bools and complex numbers, where the CPU takes them; else the CPU's error."""
    dtypes = ["int64", "uint8", "bool", "int32", "complex64"]
    for dtype in dtypes[: 4 if name in ("erf", "gelu") else 5]:  # CuPy has no complex erf
        arrays = [(np.abs(a) * 3).astype(dtype) for a in operands(name, "float64")]
        program = case(name)[1]
        expected = outcome(program, *on("cpu", arrays, requires_grad=False))
        found = outcome(program, *on(cuda_device, arrays, requires_grad=False))
        assert_alike(expected, found, cuda_device, f"{name} of {dtype}")


def test_a_part_of_the_certificate_passes(fake):
    for name in certificate.names()[::30]:
        (entry,) = certificate.certify(2, name, device="cuda")
        assert entry.verdict == "pass", entry.report


@pytest.mark.gpu
def test_the_whole_certificate_passes_on_a_gpu(cuda_device, request):
    if "fake" in request.node.name:
        pytest.skip("two minutes: minigan gradcheck --device cuda has run on the fake")
    entries = list(certificate.certify(3, device="cuda"))
    assert {e.name: e.verdict for e in entries} == dict.fromkeys(certificate.names(), "pass")


def test_the_command_computes_on_the_device(fake, capsys, tmp_path):
    fake.gpu.watchers.append(lambda *call: computed.append(call))
    computed = []
    file = tmp_path / "found.json"
    command = ["gradcheck", "--op", "Tanh", "--device", "cuda", "--json", str(file)]
    assert cli.main(command) == 0
    assert computed and '"device": "cuda"' in file.read_text()


def test_without_a_gpu_the_command_says_so(capsys, monkeypatch):
    from minigan import cuda

    monkeypatch.setattr(cuda, "is_available", lambda: False)
    assert cli.main(["gradcheck", "--device", "cuda"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("minigan: error: --device cuda: no usable GPU")
    assert err.count("\n") == 1
