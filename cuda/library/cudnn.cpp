// By cuDNN's convolution calls of version 7, which version 9 keeps: they take any strides, groups and dilation in
// two and three axes, and need no graph to be built.
#include "core/error.h"
#include "cuda/library/products.h"
#include "cuda/runtime/device_runtime.h"
#include "cuda/runtime/scratch.h"
#include "cuda/runtime/settings.h"

#if defined(TENON_CUDNN)
#include <cudnn.h>

#include <limits>
#endif

namespace tenon::cuda::library {

#if defined(TENON_CUDNN)

namespace {

void check(cudnnStatus_t status, const char* call) {
  TENON_CHECK(status == CUDNN_STATUS_SUCCESS, call, ": ", cudnnGetErrorString(status));
}

// The host thread's handle, on the current stream; never destroyed, as that of cuBLAS.
cudnnHandle_t handle() {
  static thread_local cudnnHandle_t made = [] {
    cudnnHandle_t h = nullptr;
    check(cudnnCreate(&h), "cudnnCreate");
    return h;
  }();
  check(cudnnSetStream(made, static_cast<cudaStream_t>(detail::native_stream())), "cudnnSetStream");
  return made;
}

int narrow(int64_t value) {
  TENON_CHECK(value <= std::numeric_limits<int>::max(),
              "conv: cuDNN expects extents and steps below 2^31, got ", value);
  return static_cast<int>(value);
}

template <class D, cudnnStatus_t (*create)(D*), cudnnStatus_t (*destroy)(D)>
class Descriptor {
 public:
  Descriptor() { check(create(&d_), "cudnnCreate...Descriptor"); }
  ~Descriptor() { destroy(d_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  D get() const { return d_; }

 private:
  D d_ = nullptr;
};

// The descriptors of a plan, its scale factors and its heuristics' answers.
class Problem {
 public:
  Problem(const ConvPlan& plan, DType dtype) : dtype_(dtype) {
    const cudnnDataType_t type = dtype == float64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
    // Two spatial axes where the first is idle, else three.
    const bool flat = plan.in[0] == 1 && plan.out[0] == 1 && plan.kernel[0] == 1 && plan.padding[0] == 0;
    const int first = flat ? 1 : 0, axes = 3 - first;
    int padding[3], stride[3], dilation[3], kernel[5];
    kernel[0] = narrow(plan.groups * plan.out_channels), kernel[1] = narrow(plan.in_channels);
    for (int i = 0; i < axes; ++i) {
      padding[i] = narrow(plan.padding[first + i]);
      stride[i] = narrow(plan.stride[first + i]);
      dilation[i] = narrow(plan.dilation[first + i]);
      kernel[2 + i] = narrow(plan.kernel[first + i]);
    }
    describe(x.get(), type, plan.images, plan.groups * plan.in_channels, plan.in, first, plan.x);
    describe(y.get(), type, plan.images, plan.groups * plan.out_channels, plan.out, first, plan.y);
    const int64_t one[3] = {1, 1, 1}, channels = plan.groups * plan.out_channels;
    describe(bias.get(), type, 1, channels, one, first, {channels, 1, 1});
    check(cudnnSetFilterNdDescriptor(weight.get(), type, CUDNN_TENSOR_NCHW, axes + 2, kernel),
          "cudnnSetFilterNdDescriptor");
    check(cudnnSetConvolutionNdDescriptor(conv.get(), axes, padding, stride, dilation,
                                          CUDNN_CROSS_CORRELATION, type),
          "cudnnSetConvolutionNdDescriptor");
    check(cudnnSetConvolutionGroupCount(conv.get(), narrow(plan.groups)), "cudnnSetConvolutionGroupCount");
    check(cudnnSetConvolutionMathType(conv.get(), math()), "cudnnSetConvolutionMathType");
  }

  Descriptor<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor> x, y, bias;
  Descriptor<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor> weight;
  Descriptor<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor,
             cudnnDestroyConvolutionDescriptor>
      conv;

  const void* one() const { return dtype_ == float64 ? static_cast<const void*>(&one64_) : &one32_; }
  const void* zero() const { return dtype_ == float64 ? static_cast<const void*>(&zero64_) : &zero32_; }

  /// The first deterministic answer of a heuristic; `ask(most, count, answers)` is its call.
  template <class Answer, class F>
  Answer choose(const char* call, F&& ask) const {
    constexpr int kMost = 16;
    Answer answers[kMost];
    int count = 0;
    check(ask(kMost, &count, answers), call);
    for (int i = 0; i < count; ++i)
      if (answers[i].status == CUDNN_STATUS_SUCCESS && answers[i].determinism == CUDNN_DETERMINISTIC)
        return answers[i];
    fail(call,
         ": has no deterministic algorithm for this convolution; unset TENON_CUDA_CONV for Tenon's own");
  }

 private:
  static cudnnMathType_t math() { return settings().tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH; }
  static void describe(cudnnTensorDescriptor_t tensor, cudnnDataType_t type, int64_t images, int64_t channels,
                       const int64_t (&extent)[3], int first, const ImageSteps& steps) {
    int extents[5] = {narrow(images), narrow(channels)},
        strides[5] = {narrow(steps.image), narrow(steps.channel)};
    int64_t step = steps.position;
    for (int i = 2; i >= first; --i) {
      extents[2 + i - first] = narrow(extent[i]);
      strides[2 + i - first] = narrow(step);
      step *= extent[i];
    }
    check(cudnnSetTensorNdDescriptor(tensor, type, 5 - first, extents, strides),
          "cudnnSetTensorNdDescriptor");
  }

  DType dtype_;
  float one32_ = 1, zero32_ = 0;
  double one64_ = 1, zero64_ = 0;
};

Scratch workspace(size_t bytes) { return Scratch(bytes > 0 ? bytes : 1); }

}  // namespace

void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias) {
  const Problem p(plan, dtype);
  const auto way = p.choose<cudnnConvolutionFwdAlgoPerf_t>(
      "cudnnGetConvolutionForwardAlgorithm_v7",
      [&](int most, int* count, cudnnConvolutionFwdAlgoPerf_t* answers) {
        return cudnnGetConvolutionForwardAlgorithm_v7(handle(), p.x.get(), p.weight.get(), p.conv.get(),
                                                      p.y.get(), most, count, answers);
      });
  const Scratch space = workspace(way.memory);
  check(cudnnConvolutionForward(handle(), p.one(), p.x.get(), x, p.weight.get(), weight, p.conv.get(),
                                way.algo, space.as<void>(), way.memory, p.zero(), p.y.get(), y),
        "cudnnConvolutionForward");
  detail::count_library_call("cudnn");
  if (bias == nullptr) return;
  check(cudnnAddTensor(handle(), p.one(), p.bias.get(), bias, p.one(), p.y.get(), y), "cudnnAddTensor");
}

void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight) {
  const Problem p(plan, dtype);
  const auto way = p.choose<cudnnConvolutionBwdDataAlgoPerf_t>(
      "cudnnGetConvolutionBackwardDataAlgorithm_v7",
      [&](int most, int* count, cudnnConvolutionBwdDataAlgoPerf_t* answers) {
        return cudnnGetConvolutionBackwardDataAlgorithm_v7(handle(), p.weight.get(), p.y.get(), p.conv.get(),
                                                           p.x.get(), most, count, answers);
      });
  const Scratch space = workspace(way.memory);
  check(cudnnConvolutionBackwardData(handle(), p.one(), p.weight.get(), weight, p.y.get(), g, p.conv.get(),
                                     way.algo, space.as<void>(), way.memory, p.zero(), p.x.get(), gx),
        "cudnnConvolutionBackwardData");
  detail::count_library_call("cudnn");
}

void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x) {
  const Problem p(plan, dtype);
  const auto way = p.choose<cudnnConvolutionBwdFilterAlgoPerf_t>(
      "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
      [&](int most, int* count, cudnnConvolutionBwdFilterAlgoPerf_t* answers) {
        return cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle(), p.x.get(), p.y.get(), p.conv.get(),
                                                             p.weight.get(), most, count, answers);
      });
  const Scratch space = workspace(way.memory);
  check(cudnnConvolutionBackwardFilter(handle(), p.one(), p.x.get(), x, p.y.get(), g, p.conv.get(), way.algo,
                                       space.as<void>(), way.memory, p.zero(), p.weight.get(), gw),
        "cudnnConvolutionBackwardFilter");
  detail::count_library_call("cudnn");
}

#elif !defined(TENON_CUDA_EMULATED)  // which has twins.cpp

namespace {
[[noreturn]] void no_cudnn(const char* op) {
  fail(op, ": TENON_CUDA_CONV asks for cudnn, which this build (CUDA=", build_mode(),
       ") lacks: it comes with CUDA=native where its headers are found");
}
}  // namespace

void conv(const ConvPlan&, DType, void*, const void*, const void*, const void*) { no_cudnn("conv"); }
void conv_backward_input(const ConvPlan&, DType, void*, const void*, const void*) {
  no_cudnn("conv_backward_input");
}
void conv_backward_weight(const ConvPlan&, DType, void*, const void*, const void*) {
  no_cudnn("conv_backward_weight");
}

#endif

}  // namespace tenon::cuda::library
