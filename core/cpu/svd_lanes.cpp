// SVD of many small matrices: one-sided Jacobi (Hestenes 1958) with a matrix in each SIMD lane.
//
// One-sided Jacobi turns pairs of columns of A until all are orthogonal: A V = W. Their lengths are the singular
// values, the columns themselves U. In a single 8 x 8 matrix there is little for SIMD to do; but all matrices of
// a batch take the same steps, so 16 of them are laid side by side, element by element, and each instruction
// serves 16. A lane whose pair is orthogonal already turns it by the angle 0.
//
// Tall matrices are reduced first, A = Q R (Householder), and Jacobi works on the columns of R^T, which converge
// faster than those of R (Drmac and Veselic, SIAM J. Matrix Anal. Appl. 29, 2008): R^T = P S X^T gives
// A = (Q X) S P^T.
//
// A sweep takes n (n - 1) / 2 pairs of columns of n rows, each 2 n flops for the dot product, 6 n to turn W and 6 n
// to turn V: 7 n^3 in all, at 12 loads and stores for 14 flops. So it runs from the first-level cache or not well.
#include <hwy/highway.h>

#include <algorithm>

#include "core/cpu/scratch.h"
#include "core/cpu/svd.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vector = hn::Vec<Tag<T>>;
template <class T>
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Tag<T>()));

// kLanes matrices of one shape, interleaved: element (i, j) of all of them is one vector; columns follow each
// other.
template <class T>
struct Interleaved {
  T* at;
  int64_t rows;

  T* element(int64_t i, int64_t j) const { return at + (j * rows + i) * kLanes<T>; }
  T* column(int64_t j) const { return element(0, j); }
  Vector<T> get(int64_t i, int64_t j) const { return hn::Load(Tag<T>(), element(i, j)); }
  void set(int64_t i, int64_t j, Vector<T> v) const { hn::Store(v, Tag<T>(), element(i, j)); }
};

template <class T>
Vector<T> dot(const T* x, const T* y, int64_t rows) {
  const Tag<T> d;
  constexpr int64_t n = kLanes<T>;
  Vector<T> a = hn::Zero(d), b = a, c = a, e = a;
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * n, y += 4 * n) {
    a = hn::MulAdd(hn::Load(d, x), hn::Load(d, y), a);
    b = hn::MulAdd(hn::Load(d, x + n), hn::Load(d, y + n), b);
    c = hn::MulAdd(hn::Load(d, x + 2 * n), hn::Load(d, y + 2 * n), c);
    e = hn::MulAdd(hn::Load(d, x + 3 * n), hn::Load(d, y + 3 * n), e);
  }
  for (; i < rows; ++i, x += n, y += n) a = hn::MulAdd(hn::Load(d, x), hn::Load(d, y), a);
  return hn::Add(hn::Add(a, b), hn::Add(c, e));
}

// y <- y - s x
template <class T>
void subtract(T* y, Vector<T> s, const T* x, int64_t rows) {
  const Tag<T> d;
  for (int64_t i = 0; i < rows * kLanes<T>; i += kLanes<T>)
    hn::Store(hn::NegMulAdd(s, hn::Load(d, x + i), hn::Load(d, y + i)), d, y + i);
}

// PairTurn of core/cpu/jacobi.h, in every lane.
template <class T>
struct Turn {
  Vector<T> s, r;

  Vector<T> c() const { return hn::NegMulAdd(s, r, hn::Set(Tag<T>(), T(1))); }
  void apply(Vector<T>& x, Vector<T>& y) const {
    const auto before = x;
    x = hn::NegMulAdd(s, hn::MulAdd(r, x, y), x);
    y = hn::MulAdd(s, hn::NegMulAdd(r, y, before), y);
  }
};

template <class T>
void turn_pair(const Interleaved<T>& x, int64_t p, int64_t q, Turn<T> turn) {
  const Tag<T> d;
  T *const px = x.column(p), *const qx = x.column(q);
  const int64_t end = x.rows * kLanes<T>;
  for (int64_t i = 0; i < end; i += kLanes<T>) {
    auto a = hn::Load(d, px + i), b = hn::Load(d, qx + i);
    turn.apply(a, b);
    hn::Store(a, d, px + i);
    hn::Store(b, d, qx + i);
  }
}

// [block]
// Turns of columns p, p + 1 against q, q + 1: first (p, q) and (p + 1, q + 1), then (p, q + 1) and (p + 1, q).
template <class T>
struct Turns {
  Turn<T> straight[2], crossed[2];
};
template <class T>
void turn_block(const Interleaved<T>& x, int64_t p, int64_t q, const Turns<T>& turns) {
  const Tag<T> d;
  // Locals, since what lies in memory could change with every store, for all that the compiler knows.
  const Turn<T> first = turns.straight[0], second = turns.straight[1];
  const Turn<T> third = turns.crossed[0], fourth = turns.crossed[1];
  T *const px = x.column(p), *const qx = x.column(q);
  const int64_t end = x.rows * kLanes<T>;
  for (int64_t i = 0; i < end; i += kLanes<T>) {
    auto p0 = hn::Load(d, px + i), p1 = hn::Load(d, px + end + i);
    auto q0 = hn::Load(d, qx + i), q1 = hn::Load(d, qx + end + i);
    first.apply(p0, q0);
    second.apply(p1, q1);
    third.apply(p0, q1);
    fourth.apply(p1, q0);
    hn::Store(p0, d, px + i);
    hn::Store(p1, d, px + end + i);
    hn::Store(q0, d, qx + i);
    hn::Store(q1, d, qx + end + i);
  }
}
// [/block]

template <class T>
class Group {
 public:
  Group(const SvdPlan& plan, const SvdJob<T>* jobs, int64_t count)
      : plan_(plan),
        jobs_(jobs),
        count_(count),
        m_(plan.a.rows),
        n_(plan.a.columns),
        memory_(((reduces() ? 2 : 1) * m_ * n_ + (reduces() ? 2 : 1) * n_ * n_ + 2 * n_) * kLanes<T>) {
    T* free = memory_.data();
    auto take = [&](int64_t rows, int64_t columns) {
      T* const at = free;
      free += rows * columns * kLanes<T>;
      return Interleaved<T>{at, rows};
    };
    a_ = take(m_, n_);
    w_ = reduces() ? take(n_, n_) : a_;
    x_ = take(n_, n_);
    qx_ = reduces() ? take(m_, n_) : a_;
    squares_ = take(n_, 1);
    tau_ = take(n_, 1);
  }

  void run() {
    pack();
    scale();
    if (reduces()) reduce();
    for (int64_t j = 0; j < n_; ++j)
      for (int64_t i = 0; i < n_; ++i) x_.set(i, j, hn::Set(d, i == j ? T(1) : T(0)));
    orthogonalise();
    normalise();
    if (reduces()) expand();
    for (int64_t j = 0; j < n_; ++j) fix_signs(j);
    for (int64_t lane = 0; lane < count_; ++lane) unpack(lane);
  }

 private:
  static constexpr Tag<T> d{};
  // Norms are scaled to 2^kHeadroom, so that squares of squared lengths neither overflow nor, if they matter,
  // underflow.
  static constexpr int kHeadroom = std::numeric_limits<T>::max_exponent / 4 - 2;

  bool reduces() const { return m_ > n_; }
  T least() const { return std::ldexp(negligible_square<T>(), 2 * kHeadroom); }

  void pack() {
    for (int64_t lane = 0; lane < kLanes<T>; ++lane) {
      const T* const a = lane < count_ ? jobs_[lane].a : nullptr;
      for (int64_t j = 0; j < n_; ++j)
        for (int64_t i = 0; i < m_; ++i)
          a_.element(i, j)[lane] = a != nullptr ? a[i * plan_.a.row + j * plan_.a.column] : T(0);
    }
  }

  void scale() {
    auto largest = hn::Zero(d), zero = hn::Zero(d);
    for (int64_t i = 0; i < m_ * n_; ++i) {
      const auto v = a_.get(i, 0);
      largest = hn::Max(largest, hn::Abs(v));
      zero = hn::MulAdd(v, hn::Zero(d), zero);  // becomes NaN if an element is infinite or NaN
    }
    const auto finite = hn::Eq(zero, hn::Zero(d));
    alignas(64) T most[kLanes<T>], factor[kLanes<T>];
    hn::Store(hn::IfThenElseZero(finite, largest), d, most);
    hn::Store(zero, d, factor);
    const int size = std::ilogb(static_cast<double>(m_ * n_)) / 2 + 1;
    for (int64_t lane = 0; lane < kLanes<T>; ++lane) {
      if (lane < count_)
        *jobs_[lane].status = factor[lane] == 0 ? LinalgStatus::ok : LinalgStatus::not_finite;
      half_exponent_[lane] = most[lane] > 0 ? (kHeadroom - size - std::ilogb(most[lane])) / 2 : 0;
      factor[lane] = std::ldexp(T(1), half_exponent_[lane]);
    }
    const auto by = hn::Load(d, factor);  // twice: its square may be no number
    for (int64_t i = 0; i < m_ * n_; ++i)
      a_.set(i, 0, hn::IfThenElseZero(finite, hn::Mul(by, hn::Mul(by, a_.get(i, 0)))));
  }

  // Householder: below the diagonal a_ keeps the vectors (their first component, 1, is not kept); R^T goes to w_.
  void reduce() {
    for (int64_t k = 0; k < n_; ++k) {
      T* const below = a_.element(k + 1, k);
      const int64_t rows = m_ - k - 1;
      const auto head = a_.get(k, k);
      const auto tail = dot(below, below, rows);
      const auto length = hn::Sqrt(hn::MulAdd(head, head, tail));
      const auto beta = hn::Neg(hn::CopySign(length, head));
      const auto zero = hn::Eq(length, hn::Zero(d));
      const auto by = hn::IfThenZeroElse(zero, hn::Div(hn::Set(d, T(1)), hn::Sub(head, beta)));
      const auto tau = hn::IfThenZeroElse(zero, hn::Div(hn::Sub(beta, head), beta));
      for (int64_t i = k + 1; i < m_; ++i) a_.set(i, k, hn::Mul(by, a_.get(i, k)));
      a_.set(k, k, beta);
      tau_.set(k, 0, tau);
      for (int64_t j = k + 1; j < n_; ++j) reflect(a_, k, j);
    }
    for (int64_t j = 0; j < n_; ++j)
      for (int64_t i = 0; i < n_; ++i) w_.set(i, j, i < j ? hn::Zero(d) : a_.get(j, i));
  }

  // Column j of x <- H_k times it.
  void reflect(const Interleaved<T>& x, int64_t k, int64_t j) const {
    const T* const below = a_.element(k + 1, k);
    T* const target = x.element(k + 1, j);
    const int64_t rows = m_ - k - 1;
    const auto s = hn::Mul(tau_.get(k, 0), hn::Add(x.get(k, j), dot(below, target, rows)));
    x.set(k, j, hn::Sub(x.get(k, j), s));
    subtract(target, s, below, rows);
  }

  // qx_ = Q X
  void expand() {
    for (int64_t j = 0; j < n_; ++j) {
      std::copy_n(x_.column(j), n_ * kLanes<T>, qx_.column(j));
      std::fill_n(qx_.element(n_, j), (m_ - n_) * kLanes<T>, T(0));
    }
    for (int64_t k = n_ - 1; k >= 0; --k)
      for (int64_t j = 0; j < n_; ++j) reflect(qx_, k, j);
  }

  void orthogonalise() {
    for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
      // Fresh squared lengths each sweep; within it a turn updates them.
      for (int64_t j = 0; j < n_; ++j) squares_.set(j, 0, dot(w_.column(j), w_.column(j), n_));
      turned_ = hn::Zero(d);
      for (int64_t p = 0; p < n_; p += 2) {
        if (p + 1 < n_) pair(p, p + 1);
        for (int64_t q = p + 2; q < n_; q += 2) block(p, q);
      }
      if (hn::AllTrue(d, hn::Eq(turned_, hn::Zero(d)))) return;
    }
    alignas(64) T unfinished[kLanes<T>];
    hn::Store(turned_, d, unfinished);
    for (int64_t lane = 0; lane < count_; ++lane)
      if (unfinished[lane] != 0) *jobs_[lane].status = LinalgStatus::not_converged;
  }

  // The turn that makes two columns orthogonal, from their dot products; none in lanes where they are. Updates the
  // squared lengths, and notes in turned_ which lanes turn.
  Turn<T> turn_for(Vector<T>& pp, Vector<T>& qq, Vector<T> pq) {
    const auto one = hn::Set(d, T(1)), tolerance = hn::Set(d, orthogonal_tolerance<T>(n_));
    const auto pq2 = hn::Mul(pq, pq);
    const auto wanted = hn::And(hn::Gt(pq2, hn::Mul(hn::Mul(tolerance, pp), hn::Mul(tolerance, qq))),
                                hn::Gt(hn::Min(pp, qq), hn::Set(d, least())));
    turned_ = hn::IfThenElse(wanted, one, turned_);
    // t = tan(angle), the smaller solution of tan(2 angle) = 2 pq / (qq - pp).
    const auto gap = hn::Sub(qq, pp);
    const auto root = hn::Sqrt(hn::MulAdd(gap, gap, hn::Mul(hn::Set(d, T(4)), pq2)));
    const auto t =
        hn::IfThenElseZero(wanted, hn::Div(hn::Add(pq, pq), hn::Add(gap, hn::CopySign(root, gap))));
    const auto secant = hn::Sqrt(hn::MulAdd(t, t, one));
    pp = hn::Max(hn::NegMulAdd(t, pq, pp), hn::Zero(d));
    qq = hn::Max(hn::MulAdd(t, pq, qq), hn::Zero(d));
    const auto more = hn::Add(one, secant);
    const auto by = hn::Div(t, hn::Mul(secant, more));
    return {hn::Mul(by, more), hn::Mul(by, secant)};  // t / secant and t / (1 + secant)
  }

  void pair(int64_t p, int64_t q) {
    auto pp = squares_.get(p, 0), qq = squares_.get(q, 0);
    const Turn<T> turn = turn_for(pp, qq, dot(w_.column(p), w_.column(q), n_));
    squares_.set(p, 0, pp);
    squares_.set(q, 0, qq);
    turn_pair(w_, p, q, turn);
    turn_pair(x_, p, q, turn);
  }

  // The four pairs between columns p, p + 1 and q, q + 1, in one pass over them: from the six dot products of the
  // four columns follow those after the first two turns.
  void block(int64_t p, int64_t q) {
    if (q + 1 == n_) {
      pair(p, q);
      pair(p + 1, q);
      return;
    }
    auto p0p1 = hn::Zero(d), p0q0 = p0p1, p0q1 = p0p1, p1q0 = p0p1, p1q1 = p0p1, q0q1 = p0p1;
    for (int64_t i = 0; i < n_; ++i) {
      const auto p0 = w_.get(i, p), p1 = w_.get(i, p + 1), q0 = w_.get(i, q), q1 = w_.get(i, q + 1);
      p0p1 = hn::MulAdd(p0, p1, p0p1);
      p0q0 = hn::MulAdd(p0, q0, p0q0);
      p0q1 = hn::MulAdd(p0, q1, p0q1);
      p1q0 = hn::MulAdd(p1, q0, p1q0);
      p1q1 = hn::MulAdd(p1, q1, p1q1);
      q0q1 = hn::MulAdd(q0, q1, q0q1);
    }
    auto pp0 = squares_.get(p, 0), pp1 = squares_.get(p + 1, 0);
    auto qq0 = squares_.get(q, 0), qq1 = squares_.get(q + 1, 0);
    const Turn<T> first = turn_for(pp0, qq0, p0q0), second = turn_for(pp1, qq1, p1q1);
    const auto c0 = first.c(), s0 = first.s, c1 = second.c(), s1 = second.s;
    auto mixed = [](auto a, auto x, auto b, auto y) { return hn::MulAdd(a, x, hn::Mul(b, y)); };
    const auto after01 =
        hn::Sub(hn::Mul(c0, mixed(s1, p0p1, c1, p0q1)), hn::Mul(s0, mixed(s1, p1q0, c1, q0q1)));
    const auto after10 =
        hn::Sub(hn::Mul(c1, mixed(s0, p0p1, c0, p1q0)), hn::Mul(s1, mixed(s0, p0q1, c0, q0q1)));
    const Turn<T> third = turn_for(pp0, qq1, after01), fourth = turn_for(pp1, qq0, after10);
    const auto any = hn::Or(hn::Or(first.s, second.s), hn::Or(third.s, fourth.s));
    if (hn::AllTrue(d, hn::Eq(any, hn::Zero(d)))) return;
    const Turns<T> turns{{first, second}, {third, fourth}};
    squares_.set(p, 0, pp0);
    squares_.set(p + 1, 0, pp1);
    squares_.set(q, 0, qq0);
    squares_.set(q + 1, 0, qq1);
    turn_block(w_, p, q, turns);
    turn_block(x_, p, q, turns);
  }

  // Columns of w_ become unit vectors, or zeros where they are too short to have a direction.
  void normalise() {
    const auto shortest = hn::Set(d, least());
    for (int64_t j = 0; j < n_; ++j) {
      const auto square = squares_.get(j, 0);
      const auto exists = hn::Gt(square, shortest);
      const auto length = hn::IfThenElseZero(exists, hn::Sqrt(square));
      const auto by = hn::IfThenElseZero(exists, hn::Div(hn::Set(d, T(1)), length));
      for (int64_t i = 0; i < n_; ++i) w_.set(i, j, hn::Mul(by, w_.get(i, j)));
      squares_.set(j, 0, length);
    }
  }

  // u and v, whichever way they were computed.
  const Interleaved<T>& left() const { return reduces() ? qx_ : w_; }
  const Interleaved<T>& right() const { return reduces() ? w_ : x_; }

  // The convention of sign_of_column, for all lanes.
  void fix_signs(int64_t j) const {
    const Interleaved<T>& by = plan_.sign_by_v ? right() : left();
    auto half = hn::Zero(d), chosen = hn::Zero(d);
    for (int64_t i = 0; i < by.rows; ++i) half = hn::Max(half, hn::Abs(by.get(i, j)));
    half = hn::Mul(half, hn::Set(d, T(0.5)));
    for (int64_t i = by.rows - 1; i >= 0; --i)
      chosen = hn::IfThenElse(hn::Ge(hn::Abs(by.get(i, j)), half), by.get(i, j), chosen);
    const auto sign = hn::CopySign(hn::Set(d, T(1)), chosen);
    for (const Interleaved<T>* x : {&left(), &right()})
      for (int64_t i = 0; i < x->rows; ++i) x->set(i, j, hn::Mul(sign, x->get(i, j)));
  }

  void unpack(int64_t lane) const {
    const SvdJob<T>& job = jobs_[lane];
    if (*job.status == LinalgStatus::not_finite) return;
    // Insertion sort, descending: the columns are few, and sweeps leave them nearly in order.
    int64_t order[kMaxGroupColumns];
    auto length = [&](int64_t j) { return *(squares_.element(j, 0) + lane); };
    for (int64_t j = 0; j < n_; ++j) {
      int64_t at = j;
      for (; at > 0 && length(order[at - 1]) < length(j); --at) order[at] = order[at - 1];
      order[at] = j;
    }
    const T back = std::ldexp(T(1), -half_exponent_[lane]);
    for (int64_t j = 0; j < n_; ++j) {
      job.s[j] = length(order[j]) * back * back;
      const T* const u = left().column(order[j]) + lane;
      for (int64_t i = 0; i < m_; ++i) job.u[i * n_ + j] = u[i * kLanes<T>];
      const T* const v = right().column(order[j]) + lane;
      for (int64_t i = 0; i < n_; ++i) job.v[i * n_ + j] = v[i * kLanes<T>];
    }
    for (int64_t j = 0; j < n_; ++j)
      if (length(order[j]) == 0) {
        T along[kMaxGroupColumns];
        T* const completed = reduces() ? job.v : job.u;
        complete_column(completed, n_, n_, j, along);
        // With s = 0 the signs of u and v are independent, and the convention binds one of them.
        if (plan_.sign_by_v != reduces()) continue;
        scale_column(completed, n_, n_, j, sign_of_column(completed, n_, n_, j));
      }
  }

  const SvdPlan& plan_;
  const SvdJob<T>* jobs_;
  const int64_t count_, m_, n_;
  Scratch<T> memory_;
  Interleaved<T> a_, w_, x_, qx_, squares_, tau_;
  int half_exponent_[kLanes<T>];
  Vector<T> turned_ = hn::Zero(Tag<T>());  // not 0 in the lanes that turned in this sweep
};

}  // namespace

template <>
int64_t svd_group_size<float>() {
  return kLanes<float>;
}
template <>
int64_t svd_group_size<double>() {
  return kLanes<double>;
}
template <>
void svd_group(const SvdPlan& plan, const SvdJob<float>* jobs, int64_t count) {
  Group<float>(plan, jobs, count).run();
}
template <>
void svd_group(const SvdPlan& plan, const SvdJob<double>* jobs, int64_t count) {
  Group<double>(plan, jobs, count).run();
}

}  // namespace tenon::cpu
