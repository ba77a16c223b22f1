"""Reference values written out from the definitions, in float64 and in plain loops."""

import numpy as np


def convolution_terms(g, batch, inputs, outputs):
    """Indices (n, k, p, q, c, r, s, channel, h, w) of every product in a convolution.

    Output (n, k, p, q) is the sum over c, r, s of filter (k, c, r, s) times image
    (n, channel, h, w), where the image is not padding.
    """
    top, _, left, _ = g.pad
    per_group, filters_per_group = inputs // g.groups, outputs // g.groups
    for n in range(batch):
        for k in range(outputs):
            first = k // filters_per_group * per_group
            for p in range(g.P):
                for q in range(g.Q):
                    for c in range(per_group):
                        for r in range(g.R):
                            h = p * g.stride[0] + r * g.dilation[0] - top
                            if not 0 <= h < g.H:
                                continue
                            for s in range(g.S):
                                w = q * g.stride[1] + s * g.dilation[1] - left
                                if 0 <= w < g.W:
                                    yield n, k, p, q, c, r, s, first + c, h, w


def convolution_triple(g, x, w, y):
    """fprop(x, w), dgrad(y, w) and wgrad(x, y), one product after the other."""
    image, filters, output = np.zeros(x.shape), np.zeros(w.shape), np.zeros(y.shape)
    for n, k, p, q, c, r, s, channel, h, v in convolution_terms(
        g, x.shape[0], x.shape[1], y.shape[1]
    ):
        pixel, weight, value = x[n, channel, h, v], w[k, c, r, s], y[n, k, p, q]
        output[n, k, p, q] += pixel * weight
        image[n, channel, h, v] += value * weight
        filters[k, c, r, s] += pixel * value
    return output, image, filters


def batch_norm(x, weight, bias, eps):
    """Every channel of (N, C, …) minus its mean, divided by √(its variance + eps)."""
    y = np.empty(x.shape)
    for c in range(x.shape[1]):
        channel = x[:, c]
        mean = channel.sum() / channel.size
        variance = ((channel - mean) ** 2).sum() / channel.size
        y[:, c] = (channel - mean) / np.sqrt(variance + eps) * weight[c] + bias[c]
    return y
