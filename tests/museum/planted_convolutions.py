"""Convolutions with one mistake each: in the values of a gradient, or in the gradient's own."""

from minigan.conv import Geometry
from minigan.ops.conv import Dgrad, Fprop, Wgrad

GEOMETRY = Geometry(5, 5, 3, 3, (1, 1), (1, 1, 1, 1))


def _parts(dgrad, wgrad):
    """A convolution's Fprop with one of its gradients replaced."""

    class Convolution(Fprop):
        def vjp(self, needs, g, y, x, w):
            gx = dgrad(self.geometry)(g, w) if needs[0] else None
            return gx, wgrad(self.geometry)(x, g) if needs[1] else None

    return lambda x, w: Convolution(GEOMETRY)(x, w) ** 2


class OneWeightOff(Wgrad):
    def forward(self, x, y):
        w = super().forward(x, y).copy()
        w[1, 0, 2, 1] *= 1.05
        return w


class EdgeColumnDropped(Dgrad):
    def forward(self, y, w):
        x = super().forward(y, w).copy()
        x[..., -1] = 0
        return x


class OwnGradientOff(Dgrad):
    def vjp(self, needs, g, x, y, w):
        return tuple(None if part is None else part * 1.1 for part in super().vjp(
            needs, g, x, y, w
        ))  # fmt: skip


class FlippedTranspose(Dgrad):
    """A transposed convolution whose gradient convolves with the filter turned by 180°."""

    def vjp(self, needs, g, x, y, w):
        turned = w[:, :, [2, 1, 0]][:, :, :, [2, 1, 0]]
        return Fprop(self.geometry)(g, turned) if needs[0] else None, super().vjp(
            (False, needs[1]), g, x, y, w
        )[1]


class PaddingMismatch(Fprop):
    """Forward pads 1 on both sides, the gradient believes in 0 before and 2 after."""

    def vjp(self, needs, g, y, x, w):
        other = Geometry(5, 5, 3, 3, (1, 1), (0, 2, 0, 2))
        return Fprop(other).vjp(needs, g, y, x, w)


weight_off = _parts(Dgrad, OneWeightOff)
edge_dropped = _parts(EdgeColumnDropped, Wgrad)
own_gradient_off = _parts(OwnGradientOff, Wgrad)
