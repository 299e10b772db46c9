// Elementwise kernels: one loop over a Loop's items, with a body for each family. The formulas are those of
// core/functors.h, so that the host and the device compute the same thing.
//
// Bound: memory. A dense float32 op moves 4 bytes an operand and element (unary 8, binary 12, where 13) for
// some 1 to 30 flops; at 3.0 TB/s a unary op on 2^24 elements costs at least 45 us.
#include "core/ops/contract.h"
#include "cuda/kernels/elementwise.h"
#include "cuda/kernels/loop_kernel.h"

namespace tenon::cuda {
namespace {

template <class T>
struct FillBody {
  T* y;
  T value;
  TENON_HD void operator()(const int64_t (&offset)[1]) const { y[offset[0]] = value; }
};

template <class T>
struct CountBody {
  T* y;
  TENON_HD void operator()(const int64_t (&offset)[1]) const { y[offset[0]] = static_cast<T>(offset[0]); }
};

template <class T, class F>
struct CopyBody {
  T* y;
  const F* x;
  TENON_HD void operator()(const int64_t (&offset)[2]) const { y[offset[0]] = static_cast<T>(x[offset[1]]); }
};

template <class Op, class T>
struct UnaryBody {
  T* y;
  const T* x;
  T a, b;
  TENON_HD void operator()(const int64_t (&offset)[2]) const {
    y[offset[0]] = Op::template apply<T>(x[offset[1]], a, b);
  }
};

// R is T, or uint8 for a comparison.
template <class Op, class R, class T>
struct BinaryBody {
  R* z;
  const T* x;
  const T* y;
  TENON_HD void operator()(const int64_t (&offset)[3]) const {
    z[offset[0]] = Op::template apply<T>(x[offset[1]], y[offset[2]]);
  }
};

template <class T>
struct WhereBody {
  T* z;
  const uint8_t* condition;
  const T* x;
  const T* y;
  TENON_HD void operator()(const int64_t (&offset)[4]) const {
    z[offset[0]] = condition[offset[1]] ? x[offset[2]] : y[offset[3]];
  }
};

}  // namespace

void fill(const Loop<1>& loop, DType dtype, void* y, double value) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_loop("fill", loop, FillBody<T>{static_cast<T*>(y), static_cast<T>(value)});
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
      launch_loop("copy", loop, CopyBody<T, F>{static_cast<T*>(y), static_cast<const F*>(x)});
    });
  });
}

void unary(Unary op, const Loop<2>& loop, DType dtype, void* y, const void* x, double a, double b) {
  visit_floating("unary", dtype, [&](auto tag) {
    using T = decltype(tag);
    T* const py = static_cast<T*>(y);
    const T* const px = static_cast<const T*>(x);
    switch (op) {
#define TENON_CASE(name, formula)   \
  case Unary::name:                 \
    return launch_loop(#name, loop, \
                       UnaryBody<functor::name##_, T>{py, px, static_cast<T>(a), static_cast<T>(b)});
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
    return launch_loop(#name, loop, BinaryBody<functor::name##_, T, T>{pz, px, py});
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
    return launch_loop(#name, loop, BinaryBody<functor::name##_, uint8_t, T>{z, px, py});
      TENON_COMPARE_OPS(TENON_CASE)
#undef TENON_CASE
    }
  });
}

void where(const Loop<4>& loop, DType dtype, void* z, const uint8_t* condition, const void* x,
           const void* y) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_loop(
        "where", loop,
        WhereBody<T>{static_cast<T*>(z), condition, static_cast<const T*>(x), static_cast<const T*>(y)});
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
