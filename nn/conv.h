// Convolution layers over 1, 2 and 3 spatial axes, and transposed ones.
#pragma once

#include "autograd/ops/conv.h"
#include "core/random.h"
#include "nn/module.h"

namespace tenon {

/// What all convolution layers share. Parameters: `weight` and `bias` [out], both U[-b, b) with b = 1 /
/// sqrt(fan_in) (PyTorch's default; of a transposed weight [in, out / groups, kernel...] the fan is out /
/// groups * kernel, as there).
class ConvLayer : public Module {
 public:
  Variable forward(const Variable& x) override;
  const char* kind() const override { return kind_; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  int64_t in_channels() const { return in_; }
  int64_t out_channels() const { return out_; }
  /// Stride, padding and dilation with one entry a spatial axis.
  const ConvOptions& options() const { return options_; }
  bool is_transposed() const { return transposed_; }

  Variable weight;  ///< [out, in / groups, kernel...]; transposed: [in, out / groups, kernel...]
  Variable bias;    ///< [out], or undefined

 protected:
  enum class Direction { forward, transposed };
  /// `kernel`, and each list of `options`, has one entry a spatial axis, or a single one for all.
  ConvLayer(const char* kind, int spatial, Direction direction, int64_t in, int64_t out, const Dims& kernel,
            const ConvOptions& options, const Dims& output_padding, Bias with_bias, Generator& generator);

 private:
  const char* kind_;
  int spatial_;
  bool transposed_;
  int64_t in_, out_;
  ConvOptions options_;
  Dims output_padding_;
};

/// A convolution over `spatial` axes: x [N, in, *] to [N, out, *].
template <int spatial>
class ConvNd : public ConvLayer {
 public:
  ConvNd(int64_t in, int64_t out, const Dims& kernel, const ConvOptions& options = {},
         Bias with_bias = Bias::yes, Generator& generator = default_generator())
      : ConvLayer(spatial == 1   ? "Conv1d"
                  : spatial == 2 ? "Conv2d"
                                 : "Conv3d",
                  spatial, Direction::forward, in, out, kernel, options, {}, with_bias, generator) {}
};
using Conv1d = ConvNd<1>;
using Conv2d = ConvNd<2>;
using Conv3d = ConvNd<3>;

/// A transposed convolution: x [N, in, *] to [N, out, *], extents as conv_transpose.
template <int spatial>
class ConvTransposeNd : public ConvLayer {
 public:
  ConvTransposeNd(int64_t in, int64_t out, const Dims& kernel, const ConvOptions& options = {},
                  const Dims& output_padding = {}, Bias with_bias = Bias::yes,
                  Generator& generator = default_generator())
      : ConvLayer(spatial == 1   ? "ConvTranspose1d"
                  : spatial == 2 ? "ConvTranspose2d"
                                 : "ConvTranspose3d",
                  spatial, Direction::transposed, in, out, kernel, options, output_padding, with_bias,
                  generator) {}
};
using ConvTranspose1d = ConvTransposeNd<1>;
using ConvTranspose2d = ConvTransposeNd<2>;
using ConvTranspose3d = ConvTransposeNd<3>;

}  // namespace tenon
