// Ops over lists of tensors: all tensors of a list in one launch (cuda/kernels/list_table.h), a block of 256
// threads for each piece of 2048 elements. The formulas are those of core/cpu/list_updates.h. The sum of
// squares has a sum for each piece, and a second kernel of one block joins these; both sums run in an order
// that depends on the sizes of the tensors alone.
//
// Bound: memory. In float32 Adam moves 28 bytes an element for 13 flops: the 25.6 million weights of a
// ResNet-50 cost at least 0.24 ms at 3.0 TB/s; SGD with momentum 20 bytes, the sum of squares 4. For small
// networks the launch bounds it: LeNet-300-100 has 266,610 weights in 6 tensors, which are 134 blocks and
// 2.5 us of traffic.
#include "core/ops/contract.h"
#include "cuda/kernels/block_sum.h"
#include "cuda/kernels/list_table.h"
#include "cuda/kernels/lists.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kListThreads)
    square_sums_kernel(ListTable<NoPayload> table, double* partial) {
  TENON_SHARED(double, part, kListThreads);
  double sum = 0;
  for_each_in_piece(table, [&](const ListTable<NoPayload>::Entry& entry, int64_t i) {
    const double x = static_cast<double>(static_cast<const T*>(entry.item.a)[i]);
    sum += x * x;
  });
  sum = block_sum(sum, part);
  if (threadIdx.x == 0) partial[table.first_block + blockIdx.x] = sum;
}

// partial[0] = the sum of all, by one block.
__global__ void __launch_bounds__(kListThreads) join_kernel(double* partial, int64_t count) {
  TENON_SHARED(double, part, kListThreads);
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kListThreads) sum += partial[i];
  sum = block_sum(sum, part);
  if (threadIdx.x == 0) partial[0] = sum;
}

}  // namespace

double lists_sum_of_squares(const ListLoop& loop, DType dtype) {
  int64_t pieces = 0;
  for (int64_t i = 0; i < loop.count; ++i) pieces += pieces_of(loop.items[i]);
  if (pieces == 0) return 0;
  const Scratch partial(static_cast<size_t>(pieces) * sizeof(double));
  visit_floating("lists_norm2", dtype, [&](auto tag) {
    for_each_table<NoPayload>(
        loop, pieces_of, [](const ListItem&) { return NoPayload(); },
        [&](const ListTable<NoPayload>& table, int64_t blocks) {
          if (blocks > 0)
            launch("square_sums", square_sums_kernel<decltype(tag)>, {static_cast<unsigned>(blocks)},
                   {kListThreads}, 0, table, partial.as<double>());
        });
  });
  launch("square_sums_join", join_kernel, {1}, {kListThreads}, 0, partial.as<double>(), pieces);
  double sum = 0;
  copy_to_host(&sum, partial.as<double>(), sizeof(sum));
  return sum;
}

void lists_axpy(const ListLoop& loop, DType dtype, double alpha) {
  update::visit<update::Axpy>(
      dtype, [&](auto make) { update_list("lists_axpy", loop, make); }, alpha);
}
void lists_lerp(const ListLoop& loop, DType dtype, double weight) {
  update::visit<update::Lerp>(
      dtype, [&](auto make) { update_list("lists_lerp", loop, make); }, weight);
}
void lists_scale(const ListLoop& loop, DType dtype, double alpha) {
  update::visit<update::Scale>(
      dtype, [&](auto make) { update_list("lists_scale", loop, make); }, alpha);
}
void lists_fill(const ListLoop& loop, DType dtype, double value) {
  update::visit<update::Fill>(
      dtype, [&](auto make) { update_list("lists_fill", loop, make); }, value);
}
void lists_clamp(const ListLoop& loop, DType dtype, double low, double high) {
  update::visit<update::Clamp>(
      dtype, [&](auto make) { update_list("lists_clamp", loop, make); }, low, high);
}
void sgd_step(const ListLoop& loop, DType dtype, const SgdStep& step) {
  update::visit_sgd(dtype, step, [&](auto make) { update_list("sgd_step", loop, make); });
}
void adam_step(const ListLoop& loop, DType dtype, const AdamStep& step, bool amsgrad) {
  update::visit_adam(dtype, step, amsgrad, [&](auto make) { update_list("adam_step", loop, make); });
}
void rmsprop_step(const ListLoop& loop, DType dtype, const RmspropStep& step) {
  update::visit_rmsprop(dtype, step, [&](auto make) { update_list("rmsprop_step", loop, make); });
}
void adadelta_step(const ListLoop& loop, DType dtype, const AdadeltaStep& step) {
  update::visit<update::Adadelta>(
      dtype, [&](auto make) { update_list("adadelta_step", loop, make); }, step);
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(lists_axpy)
TENON_CUDA_ENTRY(lists_lerp)
TENON_CUDA_ENTRY(lists_scale)
TENON_CUDA_ENTRY(lists_fill)
TENON_CUDA_ENTRY(lists_clamp)
TENON_CUDA_ENTRY(lists_norm2)
TENON_CUDA_ENTRY(sgd_step)
TENON_CUDA_ENTRY(adam_step)
TENON_CUDA_ENTRY(rmsprop_step)
TENON_CUDA_ENTRY(adadelta_step)
