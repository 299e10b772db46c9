// The catalogue: one row an op. From the row alone the suite (checks.cpp) derives every check of the op:
// forward against the naive reference, float32 against float64, non-contiguous, odd, size-one and empty
// inputs, gradients of first and second order, the same bits for 1, 2 and 7 threads, CPU against CUDA, and
// the error for every refused argument. There is no way to skip a check: an op that refuses a size says so in
// `refusals`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "core/ops/contract.h"
#include "core/random.h"
#include "core/tensor.h"

namespace tenon::catalogue {

/// What the naive references compute with: plain doubles in row-major order. References call no op of Tenon.
struct Array {
  Shape shape;
  std::vector<double> v;

  Array() = default;
  explicit Array(Shape s, double value = 0) : shape(s), v(static_cast<size_t>(s.numel()), value) {}
  int64_t numel() const { return static_cast<int64_t>(v.size()); }
  double& operator[](int64_t i) { return v[static_cast<size_t>(i)]; }
  double operator[](int64_t i) const { return v[static_cast<size_t>(i)]; }
  /// Element at a multi-index.
  double& at(std::initializer_list<int64_t> index) { return v[static_cast<size_t>(linear(index))]; }
  double at(std::initializer_list<int64_t> index) const { return v[static_cast<size_t>(linear(index))]; }
  int64_t linear(std::initializer_list<int64_t> index) const;
};

/// Calls `f(index)` for every multi-index of a shape in row-major order.
void for_each_index(const Shape& shape, const std::function<void(const Dims& index)>& f);
/// Row-major position of `index` in an array that broadcasts against it (axes of extent 1 stay at 0).
int64_t broadcast_position(const Shape& shape, const Dims& index);

enum class Size {
  normal,  ///< small and even; gradients are checked here
  odd,     ///< prime extents, past SIMD widths; gradients are checked here too
  one,     ///< every free extent is 1
  empty,   ///< some extent is 0
  large,   ///< above every threading threshold; forward and backward for 1, 2 and 7 threads are compared here
};

/// Draws arguments of a size, from the run's seed.
class Draw {
 public:
  Draw(Size s, uint64_t seed, uint64_t stream) : size(s), generator(seed, stream) {}
  const Size size;
  Generator generator;

  bool is(Size s) const { return size == s; }
  /// One of five extents by size: {normal, odd, large}; 1 for one, 0 for empty.
  int64_t extent(int64_t normal, int64_t odd, int64_t large) const;
  /// float64 tensors.
  Tensor normal(const Shape& shape) { return random_normal(shape, generator, 0, 1, float64); }
  Tensor uniform(const Shape& shape, double low, double high) {
    return random_uniform(shape, generator, low, high, float64);
  }
  /// Like `normal`, but no element within `gap` of any of the kinks, so that differences do not straddle one.
  Tensor away_from(const Shape& shape, std::vector<double> kinks, double gap = 0.02);
  /// 20 to 25 away from 0, on alternating sides: added to sums that go through ReLU, it keeps all but the largest from the
  /// kink.
  Tensor far_from_zero(const Shape& shape);
  /// All elements differ by at least 0.01 (a shuffled ladder): for max, sort and the like.
  Tensor distinct(const Shape& shape);
  /// Integers in [low, high).
  Tensor integers(const Shape& shape, int64_t low, int64_t high, DType dtype = int64) {
    return random_integers(shape, generator, low, high, dtype);
  }
};

using Tensors = std::vector<Tensor>;
using Variables = std::vector<Variable>;
using Arrays = std::vector<Array>;

/// One drawn call of the op, in three forms over the same inputs. Floating inputs are drawn in float64; the
/// suite converts them, re-lays them in memory and moves them between devices. Integer inputs (indices,
/// labels) keep their dtype; their layout and device change likewise.
struct Case {
  std::string label;
  Tensors inputs;
  std::function<Tensors(const Tensors&)> tensors;
  std::function<Variables(const Variables&)> variables;  ///< empty for ops that are not differentiable
  std::function<Arrays(const Arrays&)> reference;
};

/// A call that must throw an Error whose message contains all of `message`.
struct Refusal {
  std::string label;
  std::function<void()> call;
  std::vector<std::string> message;
};

// [row]
struct Row {
  const char* op;
  /// Called once for every Size; may return several cases, but at least one over all sizes.
  std::function<std::vector<Case>(Draw&)> cases;
  std::function<std::vector<Refusal>()> refusals;
  /// float32 result against the float64 reference on the same (float32) inputs:
  /// |difference| <= tolerance * max(1, largest |reference|). The reason stands beside it.
  double tolerance = 1e-6;
  const char* tolerance_reason = "a few roundings";
  /// float64 result against the reference.
  double tolerance64 = 1e-12;
};
// [/row]

/// Adds a row when the program starts: `const Register r({.op = "add", ...}); ` and TENON_ROW(add) beside it.
struct Register {
  explicit Register(Row row);
};
const std::vector<Row>& rows();
/// Refers to the row of every op in core/ops/list.inc, so that a missing one is a link error. Returns the
/// number of ops.
int linked_rows();

/// Refusals that nearly every op shares: an undefined operand and mixed dtypes (binary ops), as ready-made
/// calls.
std::vector<Refusal> unary_refusals(const char* op, const std::function<void(const Tensor&)>& call);
std::vector<Refusal> binary_refusals(const char* op,
                                     const std::function<void(const Tensor&, const Tensor&)>& call);

}  // namespace tenon::catalogue
