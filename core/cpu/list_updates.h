// What each op over lists of tensors does to one element, shared by the CPU and the CUDA kernels, so that a
// formula stands in exactly one place. core/steps.h gives the formulas of the optimisers in full.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/cpu/lists.h"
#include "core/dtype.h"
#include "core/math.h"
#include "core/steps.h"

namespace tenon::update {

/// One element of every array of a list's item (ListItem), in registers.
template <class T>
struct Element {
  T a{}, b{};
  T state[3]{};
};

/// The arrays of an item, from element `first` on.
template <class T>
struct Arrays {
  TENON_HD Arrays(const ListItem& item, int64_t first)
      : a(at(item.a, first)),
        b(at(item.b, first)),
        state{at(item.state[0], first), at(item.state[1], first), at(item.state[2], first)} {}
  T* a;
  const T* b;
  T* state[3];

 private:
  TENON_HD static T* at(void* p, int64_t first) {
    return p == nullptr ? nullptr : static_cast<T*>(p) + first;
  }
  TENON_HD static const T* at(const void* p, int64_t first) {
    return p == nullptr ? nullptr : static_cast<const T*>(p) + first;
  }
};

// An update is an object with the numbers that it needs, in the type of the elements. It says what it reads
// besides a: whether b, and which states (bit k for state k; those are written too); and how many arrays move
// in all.
template <class T_, bool reads_b, unsigned states, int arrays>
struct Update {
  using T = T_;
  static constexpr bool kReadsB = reads_b;
  static constexpr unsigned kStates = states;
  static constexpr int kArrays = arrays;
};

/// Element i of the arrays, updated.
template <class U, class T>
TENON_HD void apply(const U& update, const Arrays<T>& arrays, int64_t i) {
  Element<T> e;
  e.a = arrays.a[i];
  if constexpr (U::kReadsB) e.b = arrays.b[i];
  if constexpr ((U::kStates & 1u) != 0) e.state[0] = arrays.state[0][i];
  if constexpr ((U::kStates & 2u) != 0) e.state[1] = arrays.state[1][i];
  if constexpr ((U::kStates & 4u) != 0) e.state[2] = arrays.state[2][i];
  update(e);
  arrays.a[i] = e.a;
  if constexpr ((U::kStates & 1u) != 0) arrays.state[0][i] = e.state[0];
  if constexpr ((U::kStates & 2u) != 0) arrays.state[1][i] = e.state[1];
  if constexpr ((U::kStates & 4u) != 0) arrays.state[2][i] = e.state[2];
}

// ---- plain lists ------------------------------------------------------------------------------------

template <class T>
struct Axpy : Update<T, true, 0, 3> {
  T alpha;
  Axpy() = default;
  explicit Axpy(double value) : alpha(static_cast<T>(value)) {}
  TENON_HD void operator()(Element<T>& e) const { e.a = e.a + alpha * e.b; }
};

template <class T>
struct Lerp : Update<T, true, 0, 3> {
  T weight;
  Lerp() = default;
  explicit Lerp(double value) : weight(static_cast<T>(value)) {}
  TENON_HD void operator()(Element<T>& e) const { e.a = e.a + weight * (e.b - e.a); }
};

template <class T>
struct Scale : Update<T, false, 0, 2> {
  T alpha;
  Scale() = default;
  explicit Scale(double value) : alpha(static_cast<T>(value)) {}
  TENON_HD void operator()(Element<T>& e) const { e.a = alpha * e.a; }
};

template <class T>
struct Fill : Update<T, false, 0, 1> {
  T value;
  Fill() = default;
  explicit Fill(double v) : value(static_cast<T>(v)) {}
  TENON_HD void operator()(Element<T>& e) const { e.a = value; }
};

template <class T>
struct Clamp : Update<T, false, 0, 2> {
  T low, high;
  Clamp() = default;
  Clamp(double l, double h) : low(static_cast<T>(l)), high(static_cast<T>(h)) {}
  TENON_HD void operator()(Element<T>& e) const {
    const T floored = e.a < low ? low : e.a;
    e.a = floored > high ? high : floored;
  }
};

// ---- optimisers (core/steps.h) ----------------------------------------------------------------------

template <class T, bool momentum, bool nesterov>
struct Sgd : Update<T, true, momentum ? 1 : 0, momentum ? 5 : 3> {
  T lr, decay, mu, keep, take;
  Sgd() = default;
  Sgd(const SgdStep& step, int64_t step_count)
      : lr(static_cast<T>(step.lr)),
        decay(static_cast<T>(step.weight_decay)),
        mu(static_cast<T>(step.momentum)) {
    // The first step starts the buffer with the gradient: whatever it holds counts nothing.
    const bool starts = step_count == 1;
    keep = starts ? T(0) : mu;
    take = static_cast<T>(starts ? 1.0 : 1.0 - step.dampening);
  }
  TENON_HD void operator()(Element<T>& e) const {
    T g = e.b + decay * e.a;
    if constexpr (momentum) {
      const T buffer = keep * e.state[0] + take * g;
      e.state[0] = buffer;
      g = nesterov ? g + mu * buffer : buffer;
    }
    e.a -= lr * g;
  }
};

template <class T, bool amsgrad>
struct Adam : Update<T, true, amsgrad ? 7 : 3, amsgrad ? 9 : 7> {
  T rate, root, b1, c1, b2, c2, eps, coupled, shrink;
  Adam() = default;
  Adam(const AdamStep& step, int64_t step_count) {
    const double t = static_cast<double>(step_count);
    rate = static_cast<T>(step.lr / (1 - std::pow(step.beta1, t)));
    root = static_cast<T>(1 / std::sqrt(1 - std::pow(step.beta2, t)));
    b1 = static_cast<T>(step.beta1), c1 = static_cast<T>(1 - step.beta1);
    b2 = static_cast<T>(step.beta2), c2 = static_cast<T>(1 - step.beta2);
    eps = static_cast<T>(step.eps);
    coupled = static_cast<T>(step.decoupled ? 0 : step.weight_decay);
    shrink = static_cast<T>(step.decoupled ? 1 - step.lr * step.weight_decay : 1);
  }
  TENON_HD void operator()(Element<T>& e) const {
    const T g = e.b + coupled * e.a;
    const T m = b1 * e.state[0] + c1 * g;
    T v = b2 * e.state[1] + c2 * g * g;
    e.state[0] = m;
    e.state[1] = v;
    if constexpr (amsgrad) e.state[2] = v = e.state[2] > v ? e.state[2] : v;
    e.a = shrink * e.a - rate * m / (std::sqrt(v) * root + eps);
  }
};

template <class T, bool momentum, bool centred>
struct Rmsprop : Update<T, true, 1 + 2 * momentum + 4 * centred, 5 + 2 * momentum + 2 * centred> {
  T lr, decay, alpha, rest, eps, mu;
  Rmsprop() = default;
  explicit Rmsprop(const RmspropStep& step)
      : lr(static_cast<T>(step.lr)),
        decay(static_cast<T>(step.weight_decay)),
        alpha(static_cast<T>(step.alpha)),
        rest(static_cast<T>(1 - step.alpha)),
        eps(static_cast<T>(step.eps)),
        mu(static_cast<T>(step.momentum)) {}
  TENON_HD void operator()(Element<T>& e) const {
    const T g = e.b + decay * e.a;
    T s = alpha * e.state[0] + rest * g * g;
    e.state[0] = s;
    if constexpr (centred) {
      const T c = alpha * e.state[2] + rest * g;
      e.state[2] = c;
      s -= c * c;
      s = s < 0 ? T(0) : s;  // rounding may take the variance below 0
    }
    T u = g / (std::sqrt(s) + eps);
    if constexpr (momentum) e.state[1] = u = u + mu * e.state[1];
    e.a -= lr * u;
  }
};

template <class T>
struct Adadelta : Update<T, true, 3, 7> {
  T lr, decay, rho, rest, eps;
  Adadelta() = default;
  explicit Adadelta(const AdadeltaStep& step)
      : lr(static_cast<T>(step.lr)),
        decay(static_cast<T>(step.weight_decay)),
        rho(static_cast<T>(step.rho)),
        rest(static_cast<T>(1 - step.rho)),
        eps(static_cast<T>(step.eps)) {}
  TENON_HD void operator()(Element<T>& e) const {
    const T g = e.b + decay * e.a;
    const T s = rho * e.state[0] + rest * g * g;
    e.state[0] = s;
    const T u = std::sqrt(e.state[1] + eps) / std::sqrt(s + eps) * g;
    e.state[1] = rho * e.state[1] + rest * u * u;
    e.a -= lr * u;
  }
};

// ---- from a call to its update ----------------------------------------------------------------------
// Each calls run(make), where make(item) is the update of one item of the list.

template <template <class> class U, class Run, class... Numbers>
void visit(DType dtype, Run&& run, Numbers... numbers) {
  visit_floating("lists", dtype,
                 [&](auto tag) { run([=](const ListItem&) { return U<decltype(tag)>(numbers...); }); });
}

template <class Run>
void visit_sgd(DType dtype, const SgdStep& step, Run&& run) {
  visit_floating("sgd_step", dtype, [&](auto tag) {
    using T = decltype(tag);
    if (step.momentum == 0) {
      run([&](const ListItem& item) { return Sgd<T, false, false>(step, item.step_count); });
    } else if (step.nesterov) {
      run([&](const ListItem& item) { return Sgd<T, true, true>(step, item.step_count); });
    } else {
      run([&](const ListItem& item) { return Sgd<T, true, false>(step, item.step_count); });
    }
  });
}

template <class Run>
void visit_adam(DType dtype, const AdamStep& step, bool amsgrad, Run&& run) {
  visit_floating("adam_step", dtype, [&](auto tag) {
    using T = decltype(tag);
    if (amsgrad) {
      run([&](const ListItem& item) { return Adam<T, true>(step, item.step_count); });
    } else {
      run([&](const ListItem& item) { return Adam<T, false>(step, item.step_count); });
    }
  });
}

template <class Run>
void visit_rmsprop(DType dtype, const RmspropStep& step, Run&& run) {
  visit_floating("rmsprop_step", dtype, [&](auto tag) {
    using T = decltype(tag);
    if (step.momentum != 0 && step.centred) {
      run([&](const ListItem&) { return Rmsprop<T, true, true>(step); });
    } else if (step.momentum != 0) {
      run([&](const ListItem&) { return Rmsprop<T, true, false>(step); });
    } else if (step.centred) {
      run([&](const ListItem&) { return Rmsprop<T, false, true>(step); });
    } else {
      run([&](const ListItem&) { return Rmsprop<T, false, false>(step); });
    }
  });
}

}  // namespace tenon::update
