// The paths inside the CUDA kernels of deformable columns that sizes choose: channels past those of a thread, and cut
// into parts. Offsets are halves and operands small integers, so that sums are exact, and host and device must
// agree to the bit.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include "core/ops/deformable.h"
#include "tests/cuda/both_devices.h"

namespace tenon {

TEST_CASE("cuda kernels: deformable columns of many channels") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(9);
  for (int64_t channels : {7, 33, 150})
    for (bool with_mask : {false, true}) {
      CAPTURE(channels);
      CAPTURE(with_mask);
      const Tensor x = integers({2, channels, 6, 5}, float32, random);
      const Tensor offset = affine(integers({2, 12, 6, 3}, float32, random), 0.5, 0);
      const Tensor mask = with_mask ? integers({2, 6, 6, 3}, float32, random) : Tensor();
      const Tensor g = integers({2, channels * 6, 18}, float32, random);
      const Dims kernel{2, 3};
      const ConvOptions options{.padding = {1, 1}, .dilation = {2, 2}};
      const auto there = [](const Tensor& t, const Tensor& like) {
        return t.defined() ? t.to(like.device()) : t;
      };
      check_on_both("deformable_columns", x, [&](const Tensor& t) {
        return deformable_columns(t, there(offset, t), there(mask, t), kernel, options);
      });
      check_on_both("deformable_backward_input", g, [&](const Tensor& t) {
        return deformable_columns_backward_input(t, there(offset, t), there(mask, t), {6, 5}, kernel,
                                                 options);
      });
      const auto backward = [&](const Tensor& t) {
        return deformable_columns_backward_offset(t, there(x, t), there(offset, t), there(mask, t), kernel,
                                                  options);
      };
      const char* const last = channels >= 128 ? "join_parts" : "deformable_backward_offset";
      check_on_both(last, g, [&](const Tensor& t) { return backward(t).first; });
      if (with_mask) check_on_both(last, g, [&](const Tensor& t) { return backward(t).second; });
    }
}

}  // namespace tenon

#endif
