// Sorting and running sums along one axis: line by line, lines in parallel.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "core/cpu/index.h"
#include "core/cpu/scratch.h"
#include "core/cpu/sort.h"
#include "core/cpu/walk.h"

namespace tenon::cpu {
namespace {

// The first `wanted` of a line in sorted order, where it lies in memory `step` apart.
template <class Key, class T>
class LineSorter {
 public:
  LineSorter(int64_t count, int64_t wanted)
      : count_(count),
        wanted_(wanted),
        selects_(wanted <= count / 8),
        line_(count),
        entries_(selects_ ? select_room(wanted) : count),
        other_(selects_ ? 0 : count) {}

  /// Calls `f(i, value, position)` for i in [0, wanted).
  template <class F>
  void operator()(const T* from, int64_t step, bool descending, F&& f) {
    if (wanted_ == 0) return;
    if (step != 1) {
      for (int64_t i = 0; i < count_; ++i) line_.data()[i] = from[i * step];
      from = line_.data();
    }
    KeyAt<Key>* sorted = entries_.data();
    if (selects_) {
      select_first(from, count_, wanted_, descending, sorted);
    } else {
      for (int64_t i = 0; i < count_; ++i)
        sorted[i] = {static_cast<Key>(i), order_key<Key>(from[i], descending)};
      sorted = radix_sort(sorted, other_.data(), count_);
    }
    for (int64_t i = 0; i < wanted_; ++i) {
      const auto at = static_cast<int64_t>(sorted[i].at);
      f(i, from[at], at);
    }
  }

 private:
  const int64_t count_, wanted_;
  const bool selects_;
  Scratch<T> line_;
  Scratch<KeyAt<Key>> entries_, other_;
};

}  // namespace

void sort(const Lines<3>& lines, bool descending, DType dtype, void* values, int64_t* indices,
          const void* x) {
  const int inner = lines.starts.rank - 1;
  const int64_t wanted = lines.count[0], count = lines.count[2];
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    auto run = [&](auto key) {
      walk(lines.starts, grain_for_flops(16 * count), [&](const int64_t(&offset)[3], int64_t n) {
        LineSorter<decltype(key), T> sorter(count, wanted);
        for (int64_t l = 0; l < n; ++l) {
          T* const value = static_cast<T*>(values) + offset[0] + l * lines.starts.stride[0][inner];
          int64_t* const at = indices + offset[1] + l * lines.starts.stride[1][inner];
          const T* const from = static_cast<const T*>(x) + offset[2] + l * lines.starts.stride[2][inner];
          sorter(from, lines.step[2], descending, [&](int64_t i, T v, int64_t position) {
            value[i * lines.step[0]] = v;
            at[i * lines.step[1]] = position;
          });
        }
      });
    };
    if (sizeof(T) == 8 || count > std::numeric_limits<uint32_t>::max()) return run(uint64_t{});
    if constexpr (sizeof(T) <= 4) run(uint32_t{});
  });
}

void cumsum(const Lines<2>& lines, bool reverse, DType dtype, void* y, const void* x) {
  const int inner = lines.starts.rank - 1;
  const int64_t sy = lines.starts.stride[0][inner], sx = lines.starts.stride[1][inner];
  const int64_t count = lines.count[0];
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    using A = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;
    constexpr int64_t kStrip =
        16;  // lines summed side by side: one sum waits for its last addition, 16 do not
    walk(lines.starts, grain_for_bytes(count * 2 * int64_t{sizeof(T)}),
         [&](const int64_t(&offset)[2], int64_t n) {
           for (int64_t from = 0; from < n; from += kStrip) {
             const int64_t width = std::min(kStrip, n - from);
             A acc[kStrip] = {};
             for (int64_t k = 0; k < count; ++k) {
               const int64_t i = reverse ? count - 1 - k : k;
               T* to = static_cast<T*>(y) + offset[0] + from * sy + i * lines.step[0];
               const T* item = static_cast<const T*>(x) + offset[1] + from * sx + i * lines.step[1];
               for (int64_t l = 0; l < width; ++l) {
                 acc[l] += static_cast<A>(item[l * sx]);
                 to[l * sy] = static_cast<T>(acc[l]);
               }
             }
           }
         });
  });
}

}  // namespace tenon::cpu
