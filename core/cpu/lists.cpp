// Each update is one loop over plain arrays, which the compiler turns into SIMD. Bytes bound them all: Adam
// reads four arrays and writes three, 28 bytes an element in float32.
#include "core/cpu/lists.h"

#include <vector>

#include "core/cpu/list_updates.h"
#include "core/cpu/list_walk.h"

namespace tenon::cpu {
namespace {

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

}  // namespace

double lists_sum_of_squares(const ListLoop& loop, DType dtype) {
  return visit_floating("lists_norm2", dtype, [&](auto tag) {
    using T = decltype(tag);
    // One partial sum a chunk, joined in the order of the chunks; kept from call to call to allocate nothing.
    static thread_local std::vector<double> kept;
    std::vector<double>& partial = kept;
    const Grain grain = grain_for_bytes(sizeof(T));
    partial.assign(static_cast<size_t>((loop.total + grain.items - 1) / grain.items), 0.0);
    parallel_for(loop.total, grain, [&](int64_t begin, int64_t end) {
      double& sum = partial[static_cast<size_t>(begin / grain.items)];
      walk_chunk(loop, begin, end, [&](const ListItem& item, int64_t first, int64_t n) {
        sum += sum_of_squares(static_cast<const T*>(item.a) + first, n);
      });
    });
    double total = 0;
    for (double part : partial) total += part;
    return total;
  });
}

void lists_axpy(const ListLoop& loop, DType dtype, double alpha) {
  update::visit<update::Axpy>(
      dtype, [&](auto make) { update_list(loop, make); }, alpha);
}
void lists_lerp(const ListLoop& loop, DType dtype, double weight) {
  update::visit<update::Lerp>(
      dtype, [&](auto make) { update_list(loop, make); }, weight);
}
void lists_scale(const ListLoop& loop, DType dtype, double alpha) {
  update::visit<update::Scale>(
      dtype, [&](auto make) { update_list(loop, make); }, alpha);
}
void lists_fill(const ListLoop& loop, DType dtype, double value) {
  update::visit<update::Fill>(
      dtype, [&](auto make) { update_list(loop, make); }, value);
}
void lists_clamp(const ListLoop& loop, DType dtype, double low, double high) {
  update::visit<update::Clamp>(
      dtype, [&](auto make) { update_list(loop, make); }, low, high);
}
void sgd_step(const ListLoop& loop, DType dtype, const SgdStep& step) {
  update::visit_sgd(dtype, step, [&](auto make) { update_list(loop, make); });
}
void adam_step(const ListLoop& loop, DType dtype, const AdamStep& step, bool amsgrad) {
  update::visit_adam(dtype, step, amsgrad, [&](auto make) { update_list(loop, make); });
}
void rmsprop_step(const ListLoop& loop, DType dtype, const RmspropStep& step) {
  update::visit_rmsprop(dtype, step, [&](auto make) { update_list(loop, make); });
}
void adadelta_step(const ListLoop& loop, DType dtype, const AdadeltaStep& step) {
  update::visit<update::Adadelta>(
      dtype, [&](auto make) { update_list(loop, make); }, step);
}

}  // namespace tenon::cpu
