// Sorting and running sums along one axis: line by line, lines in parallel.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "core/cpu/index.h"
#include "core/cpu/walk.h"

namespace tenon::cpu {
namespace {

template <class T, bool kDescending>
void sort_line(std::vector<Item<T>>& line, int64_t wanted) {
  const auto before = [](const Item<T>& x, const Item<T>& y) { return sorts_before(x, y, kDescending); };
  auto end = line.begin() + wanted;
  if (wanted == 0) return;
  if (end != line.end()) std::nth_element(line.begin(), end - 1, line.end(), before);
  std::sort(line.begin(), end, before);
}

}  // namespace

void sort(const Lines<3>& lines, bool descending, DType dtype, void* values, int64_t* indices,
          const void* x) {
  const int inner = lines.starts.rank - 1;
  const int64_t wanted = lines.count[0], count = lines.count[2];
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    walk(lines.starts, grain_for_flops(64 * count), [&](const int64_t(&offset)[3], int64_t n) {
      std::vector<Item<T>> line(static_cast<size_t>(count));
      for (int64_t l = 0; l < n; ++l) {
        T* value = static_cast<T*>(values) + offset[0] + l * lines.starts.stride[0][inner];
        int64_t* at = indices + offset[1] + l * lines.starts.stride[1][inner];
        const T* from = static_cast<const T*>(x) + offset[2] + l * lines.starts.stride[2][inner];
        for (int64_t i = 0; i < count; ++i) line[static_cast<size_t>(i)] = {from[i * lines.step[2]], i};
        descending ? sort_line<T, true>(line, wanted) : sort_line<T, false>(line, wanted);
        for (int64_t i = 0; i < wanted; ++i) {
          value[i * lines.step[0]] = line[static_cast<size_t>(i)].value;
          at[i * lines.step[1]] = line[static_cast<size_t>(i)].at;
        }
      }
    });
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
