// Each update is one loop over plain arrays, which the compiler turns into SIMD. Bytes bound them all: Adam
// reads four arrays and writes three, 28 bytes an element in float32.
#include "core/cpu/lists.h"

#include <cmath>
#include <vector>

#include "core/cpu/list_walk.h"

namespace tenon::cpu {
namespace {

// For updates of one array from itself and at most one other: a = f(a, b).
template <class F>
void update(const ListLoop& loop, DType dtype, int arrays, F&& f) {
  visit_floating("lists", dtype, [&](auto tag) {
    using T = decltype(tag);
    walk_list(loop, arrays * int64_t{sizeof(T)}, [&](const ListItem& item, int64_t first, int64_t n) {
      T* a = array<T>(item.a, first);
      const T* b = item.b == nullptr ? a : array<T>(item.b, first);
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) a[i] = f(a[i], b[i]);
    });
  });
}

constexpr int kLanes = 16;

template <class T>
double sum_of_squares(const T* x, int64_t n) {
  double lane[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  for (int l = 0; i < n; ++i, ++l) lane[l] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
  return lane[0];
}

template <class T, bool kMomentum, bool kNesterov>
void sgd_run(const ListItem& item, int64_t first, int64_t n, const SgdStep& step) {
  T* p = array<T>(item.a, first);
  const T* gradient = array<T>(item.b, first);
  T* buffer = array<T>(item.state[0], first);
  const T lr = static_cast<T>(step.lr), decay = static_cast<T>(step.weight_decay);
  // The first step starts the buffer with the gradient: whatever it holds counts nothing.
  const bool starts = item.step_count == 1;
  const T mu = static_cast<T>(step.momentum), keep = starts ? T(0) : mu;
  const T take = static_cast<T>(starts ? 1.0 : 1.0 - step.dampening);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    T g = gradient[i] + decay * p[i];
    if constexpr (kMomentum) {
      T b = keep * buffer[i] + take * g;
      buffer[i] = b;
      g = kNesterov ? g + mu * b : b;
    }
    p[i] -= lr * g;
  }
}

template <class T, bool kMaximum>
void adam_run(const ListItem& item, int64_t first, int64_t n, const AdamStep& step) {
  T* p = array<T>(item.a, first);
  const T* gradient = array<T>(item.b, first);
  T* m = array<T>(item.state[0], first);
  T* v = array<T>(item.state[1], first);
  T* maximum = array<T>(item.state[2], first);
  const double t = static_cast<double>(item.step_count);
  const T rate = static_cast<T>(step.lr / (1 - std::pow(step.beta1, t)));
  const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(step.beta2, t)));
  const T b1 = static_cast<T>(step.beta1), c1 = static_cast<T>(1 - step.beta1);
  const T b2 = static_cast<T>(step.beta2), c2 = static_cast<T>(1 - step.beta2);
  const T eps = static_cast<T>(step.eps);
  const T coupled = static_cast<T>(step.decoupled ? 0 : step.weight_decay);
  const T shrink = static_cast<T>(step.decoupled ? 1 - step.lr * step.weight_decay : 1);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    T g = gradient[i] + coupled * p[i];
    T mi = b1 * m[i] + c1 * g;
    T vi = b2 * v[i] + c2 * g * g;
    m[i] = mi;
    v[i] = vi;
    if constexpr (kMaximum) {
      vi = maximum[i] > vi ? maximum[i] : vi;
      maximum[i] = vi;
    }
    p[i] = shrink * p[i] - rate * mi / (std::sqrt(vi) * root + eps);
  }
}

template <class T, bool kMomentum, bool kCentred>
void rmsprop_run(const ListItem& item, int64_t first, int64_t n, const RmspropStep& step) {
  T* p = array<T>(item.a, first);
  const T* gradient = array<T>(item.b, first);
  T* square = array<T>(item.state[0], first);
  T* buffer = array<T>(item.state[1], first);
  T* mean = array<T>(item.state[2], first);
  const T lr = static_cast<T>(step.lr), decay = static_cast<T>(step.weight_decay);
  const T alpha = static_cast<T>(step.alpha), rest = static_cast<T>(1 - step.alpha);
  const T eps = static_cast<T>(step.eps), mu = static_cast<T>(step.momentum);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    T g = gradient[i] + decay * p[i];
    T s = alpha * square[i] + rest * g * g;
    square[i] = s;
    if constexpr (kCentred) {
      T c = alpha * mean[i] + rest * g;
      mean[i] = c;
      s -= c * c;
      s = s < 0 ? T(0) : s;  // rounding may take the variance below 0
    }
    T u = g / (std::sqrt(s) + eps);
    if constexpr (kMomentum) {
      u += mu * buffer[i];
      buffer[i] = u;
    }
    p[i] -= lr * u;
  }
}

template <class T>
void adadelta_run(const ListItem& item, int64_t first, int64_t n, const AdadeltaStep& step) {
  T* p = array<T>(item.a, first);
  const T* gradient = array<T>(item.b, first);
  T* square = array<T>(item.state[0], first);
  T* update = array<T>(item.state[1], first);
  const T lr = static_cast<T>(step.lr), decay = static_cast<T>(step.weight_decay);
  const T rho = static_cast<T>(step.rho), rest = static_cast<T>(1 - step.rho);
  const T eps = static_cast<T>(step.eps);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    T g = gradient[i] + decay * p[i];
    T s = rho * square[i] + rest * g * g;
    square[i] = s;
    T u = std::sqrt(update[i] + eps) / std::sqrt(s + eps) * g;
    update[i] = rho * update[i] + rest * u * u;
    p[i] -= lr * u;
  }
}

}  // namespace

void lists_axpy(const ListLoop& loop, DType dtype, double alpha) {
  update(loop, dtype, 3, [alpha]<class T>(T a, T b) { return a + static_cast<T>(alpha) * b; });
}
void lists_lerp(const ListLoop& loop, DType dtype, double weight) {
  update(loop, dtype, 3, [weight]<class T>(T a, T b) { return a + static_cast<T>(weight) * (b - a); });
}
void lists_scale(const ListLoop& loop, DType dtype, double alpha) {
  update(loop, dtype, 2, [alpha]<class T>(T a, T) { return static_cast<T>(alpha) * a; });
}
void lists_fill(const ListLoop& loop, DType dtype, double value) {
  update(loop, dtype, 1, [value]<class T>(T, T) { return static_cast<T>(value); });
}
void lists_clamp(const ListLoop& loop, DType dtype, double low, double high) {
  update(loop, dtype, 2, [low, high]<class T>(T a, T) {
    T floored = a < static_cast<T>(low) ? static_cast<T>(low) : a;
    return floored > static_cast<T>(high) ? static_cast<T>(high) : floored;
  });
}

double lists_sum_of_squares(const ListLoop& loop, DType dtype) {
  return visit_floating("lists_norm2", dtype, [&](auto tag) {
    using T = decltype(tag);
    // One partial sum a chunk, joined in the order of the chunks; kept from call to call to allocate nothing.
    static thread_local std::vector<double> kept;
    std::vector<double>& partial = kept;
    const int64_t grain = grain_for_bytes(sizeof(T));
    partial.assign(static_cast<size_t>((loop.total + grain - 1) / grain), 0.0);
    parallel_for(loop.total, grain, [&](int64_t begin, int64_t end) {
      double& sum = partial[static_cast<size_t>(begin / grain)];
      walk_chunk(loop, begin, end, [&](const ListItem& item, int64_t first, int64_t n) {
        sum += sum_of_squares(array<T>(static_cast<const void*>(item.a), first), n);
      });
    });
    double total = 0;
    for (double part : partial) total += part;
    return total;
  });
}

// Runs `call` on each piece of the list, T being the element type.
#define TENON_STEP(loop, dtype, arrays, call)                                 \
  visit_floating("lists", dtype, [&](auto tag) {                              \
    using T = decltype(tag);                                                  \
    walk_list(loop, (arrays)*int64_t{sizeof(T)},                              \
              [&](const ListItem& item, int64_t first, int64_t n) { call; }); \
  })

void sgd_step(const ListLoop& loop, DType dtype, const SgdStep& step) {
  if (step.momentum == 0) {
    TENON_STEP(loop, dtype, 3, (sgd_run<T, false, false>(item, first, n, step)));
  } else if (step.nesterov) {
    TENON_STEP(loop, dtype, 5, (sgd_run<T, true, true>(item, first, n, step)));
  } else {
    TENON_STEP(loop, dtype, 5, (sgd_run<T, true, false>(item, first, n, step)));
  }
}

void adam_step(const ListLoop& loop, DType dtype, const AdamStep& step, bool amsgrad) {
  if (amsgrad) {
    TENON_STEP(loop, dtype, 9, (adam_run<T, true>(item, first, n, step)));
  } else {
    TENON_STEP(loop, dtype, 7, (adam_run<T, false>(item, first, n, step)));
  }
}

void rmsprop_step(const ListLoop& loop, DType dtype, const RmspropStep& step) {
  if (step.momentum != 0 && step.centred) {
    TENON_STEP(loop, dtype, 9, (rmsprop_run<T, true, true>(item, first, n, step)));
  } else if (step.momentum != 0) {
    TENON_STEP(loop, dtype, 7, (rmsprop_run<T, true, false>(item, first, n, step)));
  } else if (step.centred) {
    TENON_STEP(loop, dtype, 7, (rmsprop_run<T, false, true>(item, first, n, step)));
  } else {
    TENON_STEP(loop, dtype, 5, (rmsprop_run<T, false, false>(item, first, n, step)));
  }
}

void adadelta_step(const ListLoop& loop, DType dtype, const AdadeltaStep& step) {
  TENON_STEP(loop, dtype, 7, (adadelta_run<T>(item, first, n, step)));
}

#undef TENON_STEP

}  // namespace tenon::cpu
