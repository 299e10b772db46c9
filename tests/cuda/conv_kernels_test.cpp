// The paths inside the CUDA convolutions that sizes and layouts choose: edges of tiles, parts of the sum over
// positions, phases of a strided gradient, groups, both orders in memory. Inputs are small integers, whose sums
// are exact, so host and device must agree to the bit.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include "core/ops/conv.h"
#include "tests/cuda/both_devices.h"

namespace tenon {
namespace {

struct Case {
  int64_t images, in_channels, out_channels;
  Dims in, kernel;
  ConvOptions options;
  // Launched last by each op.
  const char* weight_kernel = "conv_backward_weight";
  const char* forward_kernel = "conv";
  const char* input_kernel = "conv_backward_input";
  // Of float32 with positions innermost, conv_window.h has kernels of its own.
  bool forward_window = false, input_window = false;
  const char* window_weight_kernel = nullptr;
};

const char *const kDepthwise = "conv_depthwise_weight", *const kWindowWeight = "conv_window_weight",
                  *const kJoin = "join_parts";

// `c`, of which conv_window.h and conv_window_gradient.h take some or all directions.
Case windowed(Case c, const char* weight_kernel = kJoin, bool forward = true, bool input = true) {
  c.forward_window = forward, c.input_window = input, c.window_weight_kernel = weight_kernel;
  return c;
}

Shape image_of(int64_t images, int64_t channels, const Dims& extents) {
  Shape shape{images, channels};
  for (int64_t extent : extents) shape.push_back(extent);
  return shape;
}

// The same numbers with channels innermost in memory.
Tensor channels_inside(const Tensor& x) {
  Dims inside{0}, back{0, x.rank() - 1};
  for (int i = 2; i < x.rank(); ++i) inside.push_back(i), back.push_back(i - 1);
  inside.push_back(1);
  return x.permute(inside).contiguous().permute(back);
}

void check_case(const Case& c, DType dtype, bool with_channels_inside, std::mt19937_64& random) {
  const auto laid = [&](const Tensor& x) { return with_channels_inside ? channels_inside(x) : x; };
  const Tensor x = laid(integers(image_of(c.images, c.in_channels, c.in), dtype, random));
  const Tensor w =
      integers(image_of(c.out_channels, c.in_channels / c.options.groups, c.kernel), dtype, random);
  const Tensor b = integers({c.out_channels}, dtype, random);
  const Tensor y = conv(x, w, b, c.options);
  const Tensor g = laid(integers(y.shape(), dtype, random));
  INFO("input ", x.shape().str(), ", weight ", w.shape().str(), ", ", x.str(),
       with_channels_inside ? ", channels last" : "");
  const bool window = dtype == float32 && !with_channels_inside;
  check_on_both(window && c.forward_window ? "conv_window" : c.forward_kernel, x,
                [&](const Tensor& t) { return conv(t, w.to(t.device()), b.to(t.device()), c.options); });
  check_on_both(window && c.input_window ? "conv_window_input" : c.input_kernel, g,
                [&](const Tensor& t) { return conv_backward_input(t, w.to(t.device()), c.in, c.options); });
  check_on_both(
      window && c.window_weight_kernel != nullptr ? c.window_weight_kernel : c.weight_kernel, g,
      [&](const Tensor& t) { return conv_backward_weight(t, x.to(t.device()), c.kernel, c.options); });
}

void check_cases(const std::vector<Case>& cases, uint64_t seed,
                 std::initializer_list<DType> dtypes = {float32, float64}) {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(seed);
  for (const Case& c : cases)
    for (DType dtype : dtypes)
      for (bool inside : {false, true}) check_case(c, dtype, inside, random);
}

}  // namespace

TEST_CASE("cuda kernels: convolutions at the edges of tiles") {
  check_cases({{1, 1, 1, {1, 1}, {1, 1}, {}, kDepthwise},
               {1, 16, 16, {8, 8}, {1, 1}, {}},   // one whole tile
               {1, 17, 17, {5, 13}, {1, 1}, {}},  // one more of everything
               windowed({2, 3, 33, {9, 7}, {3, 3}, {.padding = {1}}}, kJoin, true,
                        false),                 // rows of the middle tile
               {3, 5, 65, {4, 6}, {2, 3}, {}},  // two tiles of rows
               {70, 2, 3, {2, 2}, {2, 2}, {}},  // a position an image
               {1, 40, 7, {300}, {5}, {.padding = {2}}}},
              1);
}

TEST_CASE("cuda kernels: convolutions with stride, dilation, asymmetric kernels, groups") {
  check_cases({{2, 3, 4, {9, 10}, {3, 3}, {.stride = {2}, .padding = {1}}},
               {1, 2, 5, {11, 8}, {2, 3}, {.stride = {3, 2}}},
               {1, 3, 4, {7, 9}, {3, 2}, {.stride = {4, 3}, .padding = {2, 0}}},  // phases without taps
               {1, 4, 3, {12, 11}, {3, 3}, {.padding = {2}, .dilation = {2}}},
               {1, 2, 3, {13, 14}, {3, 3}, {.stride = {2, 3}, .padding = {1}, .dilation = {2, 3}}},
               {1, 2, 3, {15, 12}, {3, 2}, {.stride = {2, 4}, .padding = {3}, .dilation = {3, 6}}},
               {2, 5, 6, {6, 5, 4}, {3, 1, 1}, {.padding = {1, 0, 0}}},
               {1, 5, 6, {5, 6, 7}, {1, 3, 1}, {.stride = {1, 2, 1}, .padding = {0, 1, 0}}},
               {1, 3, 2, {5, 6, 7}, {2, 3, 3}, {.stride = {2}, .padding = {1}}},
               windowed({2, 6, 4, {7, 5}, {3, 3}, {.padding = {1}, .groups = 2}}, kJoin, false, false),
               {1, 9, 9, {8, 6}, {3, 3}, {.padding = {1}, .groups = 9}, kDepthwise},
               {1, 4, 8, {9}, {3}, {.stride = {2}, .padding = {1}, .groups = 4}, kDepthwise}},
              2);
}

TEST_CASE("cuda kernels: convolutions' gradient of the weight, summed in parts") {
  check_cases({windowed({3, 4, 5, {20, 20}, {3, 3}, {.padding = {1}}, kJoin}, kJoin, true, false),
               {1, 2, 3, {1100}, {3}, {}, "join_parts"},
               {1, 6, 6, {9, 11, 12}, {3, 3, 3}, {.padding = {1}, .groups = 3}, "join_parts"}},
              3);
}

TEST_CASE("cuda kernels: depthwise convolutions' gradient of the weight") {
  check_cases(
      {{1, 40, 40, {5, 6}, {5, 5}, {.padding = {2}, .groups = 40}, kDepthwise},  // lanes past 32 channels
       {2, 3, 12, {7, 9}, {3, 3}, {.stride = {2}, .padding = {1}, .groups = 3}, kDepthwise},
       {4, 2, 2, {50, 51}, {3, 3}, {.padding = {1}, .groups = 2}, "join_parts"},
       {1, 3, 3, {12, 13, 70}, {3, 3, 3}, {.padding = {1}, .groups = 3}, "join_parts"},
       {2, 4, 4, {8, 9}, {7, 5}, {.padding = {3, 2}, .groups = 4}}},  // too many taps
      9);
}

TEST_CASE("cuda kernels: convolutions in wide tiles") {
  const char *weight = "conv_backward_weight", *join = "join_parts";
  check_cases({{1, 5, 16, {260, 260}, {2, 1}, {}, join},                            // 16 x 256
               {2, 6, 27, {200, 180}, {1, 2}, {.padding = {0, 1}}, join},           // 32 x 256
               {3, 33, 50, {110, 103}, {1, 1}, {}, join},                           // 64 x 128
               {6, 65, 70, {50, 56}, {1, 1}, {}, join},                             // 128 x 128, with edges
               {1, 128 * 264, 64 * 264, {3, 3}, {1, 1}, {.groups = 264}, weight}},  // all groups, 64 x 128
              4, {float32});
}

TEST_CASE("cuda kernels: convolutions whose block holds the patch that all taps read") {
  check_cases(
      {windowed({1, 2, 16, {12, 20, 21}, {3, 3, 3}, {.padding = {1}}, kJoin}, kJoin, true,
                false),                                                   // many teams a warp
       windowed({9, 16, 16, {32, 32}, {3, 3}, {.padding = {1}}, kJoin}),  // whole lines, 8 rows in a thread
       windowed({7, 11, 20, {30, 29}, {3, 3}, {.padding = {2, 1}}, kJoin}),  // nothing even
       windowed({140, 7, 33, {8, 9}, {3, 3}, {.padding = {1}}, kJoin}),      // many images in a tile
       windowed({2, 5, 17, {9, 70}, {1, 3}, {.padding = {0, 1}}, kJoin}),
       windowed({3, 6, 19, {70, 9}, {3, 1}, {}, kJoin}),
       windowed({12, 9, 10, {14, 15}, {5, 5}, {.padding = {2}}, kJoin}),
       windowed({1, 6, 9, {7, 18, 21}, {3, 3, 3}, {.padding = {1}}, kJoin}),
       windowed({2, 5, 6, {6, 20, 23}, {2, 3, 3}, {.padding = {1, 0, 2}}, kJoin}),
       windowed({9, 12, 18, {17, 19}, {3, 3}, {.padding = {1}, .groups = 2}, kJoin}),
       windowed({1, 8, 8, {3000, 9}, {3, 3}, {.padding = {1}}, kJoin})},
      10, {float32});
}

TEST_CASE("cuda kernels: convolutions that read a patch finish their sums") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(11);
  const ConvOptions options{.padding = {1}};
  for (int64_t width : {10, 12}) {  // with 12, words of 16 bytes
    const Tensor x = integers({2, 6, 9, width}, float32, random), w = integers({9, 6, 3, 3}, float32, random);
    const Tensor b = integers({9}, float32, random), residual = integers({2, 9, 9, width}, float32, random);
    check_on_both("conv_window", x, [&](const Tensor& t) {
      return conv(t, w.to(t.device()), b.to(t.device()), options, Epilogue::relu, residual.to(t.device()));
    });
    check_on_both("conv_window", x,
                  [&](const Tensor& t) { return conv(t, w.to(t.device()), {}, options, Epilogue::relu); });
  }
}

TEST_CASE("cuda kernels: convolutions of more than 32 taps") {
  check_cases({{1, 3, 6, {9, 11}, {7, 6}, {.padding = {3, 2}}},
               {2, 2, 5, {60}, {33}, {.stride = {2}, .padding = {16}}},
               windowed({1, 6, 7, {5, 6, 7}, {4, 3, 3}, {.padding = {2, 1, 0}}}),
               {1, 5, 6, {8, 9}, {4, 8}, {.padding = {1, 4}}}},  // 32
              8);
}

TEST_CASE("cuda kernels: convolutions of many channels at few positions, summed in parts") {
  check_cases({windowed({1, 120, 130, {4, 4}, {3, 3}, {.padding = {1}}, "conv_backward_weight", kJoin, kJoin},
                        kWindowWeight, false, false),
               {2, 300, 20, {3, 5}, {2, 2}, {}, "conv_backward_weight", "join_parts", "conv_backward_input"}},
              5);
}

TEST_CASE("cuda kernels: convolutions of few rows, a thread a position") {
  check_cases({{2, 3, 4, {11, 12}, {3, 3}, {.stride = {2}, .padding = {1}}},
               {1, 1, 2, {6, 7, 8}, {3, 3, 3}, {.padding = {1}}, kDepthwise},
               {3, 8, 8, {9, 9}, {3, 3}, {.padding = {1}, .groups = 8}, kDepthwise},
               {1, 6, 18, {8, 9}, {3, 1}, {.padding = {2}, .dilation = {2}, .groups = 6}, kDepthwise}},
              6);
}

TEST_CASE("cuda kernels: convolutions in TF32 keep small integers") {
  const cuda::WithSettings chosen({.tf32 = true});
  check_cases({windowed({2, 6, 16, {15, 14}, {3, 3}, {.padding = {1}}}),
               {1, 20, 30, {12, 9}, {3, 3}, {.stride = {2}, .padding = {1}}},
               {1, 40, 64, {7, 9}, {2, 3}, {}},
               windowed({2, 70, 130, {5, 6, 4}, {1, 3, 1}, {.padding = {0, 1, 0}}})},
              7);
}

}  // namespace tenon

#endif
