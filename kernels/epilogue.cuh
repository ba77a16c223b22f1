// What happens to a finished sum before it is written, while it is still in a register:
//
//     y = activation(sum + bias[channel])
//
// Done here it costs no memory traffic; a kernel of its own would read and write all of y, 8 B for
// each number.  For BatchNorm the tile's sums over each channel are written too, which saves the
// pass over y that the mean would take (4 B for each number); channel_sums.cu goes on from there.
#pragma once

enum Activation { NONE, RELU, LEAKY_RELU, TANH };

struct Epilogue {
  int activation;
  float slope;            // LeakyReLU's
  int tiles, first_tile;  // of the whole result in one channel; number of this launch's first one
};

// NaN passes through all of them.
static __device__ __forceinline__ float activate(float v, const Epilogue& e) {
  if (e.activation == RELU) return v < 0.f ? 0.f : v;
  if (e.activation == LEAKY_RELU) return v < 0.f ? e.slope * v : v;
  if (e.activation == TANH) return tanhf(v);
  return v;
}
