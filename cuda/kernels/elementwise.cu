// Elementwise kernels: a map over a Loop's items (loop_kernel.h), with a function for each family. The formulas
// are those of core/functors.h, so that the host and the device compute the same thing.
//
// Bound: memory. A dense float32 op moves 4 bytes an operand and element (unary 8, binary 12, where 13) for
// some 1 to 30 flops; at 3.0 TB/s a unary op on 2^24 elements costs at least 45 us.
#include "core/ops/contract.h"
#include "cuda/kernels/elementwise.h"
#include "cuda/kernels/loop_kernel.h"

namespace tenon::cuda {
namespace {

template <class T>
struct Constant {
  T value;
  TENON_HD T operator()() const { return value; }
};

template <class T>
struct CountBody {
  T* y;
  TENON_HD void operator()(const int64_t (&offset)[1]) const { y[offset[0]] = static_cast<T>(offset[0]); }
};

template <class T>
struct Convert {
  template <class F>
  TENON_HD T operator()(F x) const {
    return static_cast<T>(x);
  }
};

template <class Op, class T>
struct UnaryOf {
  T a, b;
  TENON_HD T operator()(T x) const { return Op::template apply<T>(x, a, b); }
};

// Gives T, or uint8 for a comparison.
template <class Op>
struct BinaryOf {
  template <class T>
  TENON_HD auto operator()(T x, T y) const {
    return Op::template apply<T>(x, y);
  }
};

struct Choice {
  template <class T>
  TENON_HD T operator()(uint8_t condition, T x, T y) const {
    return condition ? x : y;
  }
};

}  // namespace

void fill(const Loop<1>& loop, DType dtype, void* y, double value) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_map("fill", loop, Constant<T>{static_cast<T>(value)}, static_cast<T*>(y));
  });
}

void count_up(int64_t n, DType dtype, void* y) {
  Loop<1> loop;
  loop.rank = 1;
  loop.numel = loop.extent[0] = n;
  loop.stride[0][0] = 1;
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_loop("count_up", loop, CountBody<T>{static_cast<T*>(y)});
  });
}

void copy(const Loop<2>& loop, DType to, void* y, DType from, const void* x) {
  visit_dtype(to, [&](auto to_tag) {
    visit_dtype(from, [&](auto from_tag) {
      using T = decltype(to_tag);
      using F = decltype(from_tag);
      launch_map("copy", loop, Convert<T>(), static_cast<T*>(y), static_cast<const F*>(x));
    });
  });
}

void unary(Unary op, const Loop<2>& loop, DType dtype, void* y, const void* x, double a, double b) {
  visit_floating("unary", dtype, [&](auto tag) {
    using T = decltype(tag);
    T* const py = static_cast<T*>(y);
    const T* const px = static_cast<const T*>(x);
    switch (op) {
#define TENON_CASE(name, formula)                                                                          \
  case Unary::name:                                                                                        \
    return launch_map(#name, loop, UnaryOf<functor::name##_, T>{static_cast<T>(a), static_cast<T>(b)}, py, \
                      px);
      TENON_UNARY_OPS(TENON_CASE)
#undef TENON_CASE
    }
  });
}

void binary(Binary op, const Loop<3>& loop, DType dtype, void* z, const void* x, const void* y) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    T* const pz = static_cast<T*>(z);
    const T* const px = static_cast<const T*>(x);
    const T* const py = static_cast<const T*>(y);
    switch (op) {
#define TENON_CASE(name, formula) \
  case Binary::name:              \
    return launch_map(#name, loop, BinaryOf<functor::name##_>(), pz, px, py);
      TENON_BINARY_OPS(TENON_CASE)
#undef TENON_CASE
    }
  });
}

void compare(Compare op, const Loop<3>& loop, DType dtype, uint8_t* z, const void* x, const void* y) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* const px = static_cast<const T*>(x);
    const T* const py = static_cast<const T*>(y);
    switch (op) {
#define TENON_CASE(name, formula) \
  case Compare::name:             \
    return launch_map(#name, loop, BinaryOf<functor::name##_>(), z, px, py);
      TENON_COMPARE_OPS(TENON_CASE)
#undef TENON_CASE
    }
  });
}

void where(const Loop<4>& loop, DType dtype, void* z, const uint8_t* condition, const void* x,
           const void* y) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_map("where", loop, Choice(), static_cast<T*>(z), condition, static_cast<const T*>(x),
               static_cast<const T*>(y));
  });
}

}  // namespace tenon::cuda

#define TENON_ENTRY(name, formula) TENON_CUDA_ENTRY(name)
TENON_UNARY_OPS(TENON_ENTRY)
TENON_BINARY_OPS(TENON_ENTRY)
TENON_COMPARE_OPS(TENON_ENTRY)
TENON_CUDA_ENTRY(where)
#undef TENON_ENTRY
// Views move no data; where one has to be materialised, the kernel is `copy`.
TENON_CUDA_ENTRY(reshape)
TENON_CUDA_ENTRY(permute)
TENON_CUDA_ENTRY(slice)
TENON_CUDA_ENTRY(expand)
TENON_CUDA_ENTRY(slice_scatter)
TENON_CUDA_ENTRY(split)
// Ops of the index family that are made of copies into windows, comparisons, `where` and sums.
TENON_CUDA_ENTRY(one_hot)
TENON_CUDA_ENTRY(masked_fill)
TENON_CUDA_ENTRY(count_nonzero)
TENON_CUDA_ENTRY(cat)
TENON_CUDA_ENTRY(stack)
TENON_CUDA_ENTRY(pad)
TENON_CUDA_ENTRY(flip)
TENON_CUDA_ENTRY(roll)
