// The naive normalisations, and what the rows of all of them draw and refuse.
#pragma once

#include <functional>

#include "autograd/ops/view.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {

/// Large, so that sets of two nearly equal numbers stay smooth on the scale of gradcheck's differences.
inline constexpr double kEps = 0.1;

inline const char* const kToleranceReason =
    "x - mean and one fused multiply-add, relative to results of about 4";

/// Which set, and which channel, each element of x [N, C, *] belongs to; groups = 0 means batch norm.
struct Sets {
  std::vector<int64_t> set, channel;
  Shape shape;  // of the statistics
  double count = 0;
  Sets(const Shape& x, int64_t groups) : shape(groups ? Shape{x[0], groups} : Shape{x[1]}) {
    for_each_index(x, [&](const Dims& at) {
      set.push_back(groups ? at[0] * groups + at[1] / (x[1] / groups) : at[1]);
      channel.push_back(at[1]);
    });
    if (!set.empty()) count = static_cast<double>(set.size()) / static_cast<double>(shape.numel());
  }
};

struct Statistics {
  Array mean, variance;
};

Statistics naive_statistics(const Array& x, const Sets& sets);
/// inputs: x, then weight and bias if there are any
Array naive_apply(const Arrays& in, const Sets& sets, const Statistics& s);
/// inputs: g, x, then weight if there is one; {dx, dweight, dbias}
Arrays naive_backward(const Arrays& in, int64_t groups);

/// One normalisation of the catalogue.
struct NormVariant {
  Shape shape;
  int64_t groups;
  bool affine;
  bool channels_last;  // in memory: drawn as [N, *, C] and seen as [N, C, *]
  std::string label() const {
    return concat(shape, groups ? concat(" groups ", groups) : "", affine ? " affine" : "",
                  channels_last ? " channels last" : "");
  }
};

/// No empty batch: batch norm over no elements is refused. Its empty tensors have no channels.
std::vector<NormVariant> batch_variants(Draw& d);

Shape drawn_shape(const NormVariant& v);
/// What was drawn, seen as [N, C, *].
Tensor seen(const Tensor& x, const NormVariant& v);
Variable seen(const Variable& x, const NormVariant& v);
Array seen(const Array& x, const NormVariant& v);

template <class T>
T at_or_none(const std::vector<T>& in, size_t i) {
  return i < in.size() ? in[i] : T();
}

/// Refusals of the arguments that every normalisation takes.
std::vector<Refusal> shared_refusals(const char* op,
                                     const std::function<void(Tensor x, Tensor w, Tensor b)>& call);

inline Tensor statistic(int64_t n) { return Tensor::ones({n}, float64); }

}  // namespace tenon::catalogue
