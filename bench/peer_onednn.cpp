#include "bench/peer_onednn.h"

#if defined(TENON_ONEDNN)
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "core/error.h"
#include "core/ops/matmul.h"
#include "core/parallel.h"

extern "C" void omp_set_num_threads(int);
#endif

namespace tenon::bench {

#if defined(TENON_ONEDNN)

namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// oneDNN asks OpenMP for the number of threads, when a primitive is made and when it runs.
void use_our_threads() { omp_set_num_threads(num_threads()); }

memory::desc layout_of(const memory::dims& extents, const memory::dims& steps) {
  return {extents, memory::data_type::f32, steps};
}
memory::dims row_major_steps(const memory::dims& extents) {
  memory::dims steps(extents.size(), 1);
  for (size_t i = extents.size() - 1; i > 0; --i) steps[i - 1] = steps[i] * extents[i];
  return steps;
}
memory::dims extents_of(const Tensor& x) { return {x.shape().begin(), x.shape().end()}; }

// Something between a tensor and what computes with it: the tensor as it lies, and memory in the layout that the
// primitive wants, the same one if the layouts agree.
class Operand {
 public:
  Operand(const memory::desc& plain, const memory::desc& wanted, const Tensor& x)
      : keep_(x),
        plain_(plain, engine(), x.data<float>()),
        wanted_(plain == wanted ? plain_ : memory(wanted, engine())) {
    if (plain == wanted) return;
    in_ = dnnl::reorder(plain_, wanted_);
    out_ = dnnl::reorder(wanted_, plain_);
  }
  const memory& wanted() const { return wanted_; }
  void enter(dnnl::stream& stream) {
    if (in_) in_.execute(stream, plain_, wanted_);
  }
  void leave(dnnl::stream& stream) {
    if (out_) out_.execute(stream, wanted_, plain_);
  }

 private:
  Tensor keep_;
  memory plain_, wanted_;
  dnnl::reorder in_, out_;
};

// A primitive with two operands and a result.
struct Work {
  dnnl::stream stream{engine()};
  dnnl::primitive primitive;
  std::vector<Operand> operands;  // the result last
  Arguments arguments;

  void compute() {
    primitive.execute(stream, arguments);
    stream.wait();
  }
  void compute_on_plain() {
    operands[0].enter(stream), operands[1].enter(stream);
    primitive.execute(stream, arguments);
    operands[2].leave(stream);
    stream.wait();
  }
};

// ---- convolution ----------------------------------------------------------------------------------------------------

// One value for each axis; oneDNN counts a dilation from 0.
memory::dims per_axis(const Dims& values, int axes, int64_t standard, int64_t less = 0) {
  memory::dims out;
  for (int i = 0; i < axes; ++i)
    out.push_back((values.rank() == 0 ? standard : values[values.rank() == 1 ? 0 : i]) - less);
  return out;
}

class Convolution {
 public:
  explicit Convolution(const ConvPeer& problem)
      : p_(problem),
        axes_(problem.x.rank() - 2),
        stride_(per_axis(p_.options.stride, axes_, 1)),
        padding_(per_axis(p_.options.padding, axes_, 0)),
        dilation_(per_axis(p_.options.dilation, axes_, 1, 1)),
        x_(extents_of(p_.x)),
        w_(extents_of(p_.w)),
        y_(extents_of(p_.y)) {
    if (const int64_t groups = p_.options.groups; groups > 1) {
      w_[0] /= groups;
      w_.insert(w_.begin(), groups);
    }
  }

  Work work() const {
    const auto forward = forward_descriptor();
    if (p_.pass == ConvPass::forward)
      return work_of(dnnl::convolution_forward(forward), forward.src_desc(), forward.weights_desc(),
                     forward.dst_desc());
    if (p_.pass == ConvPass::backward_input) {
      const dnnl::convolution_backward_data::primitive_desc backward(
          {kAlgorithm, any(x_), any(w_), any(y_), stride_, dilation_, padding_, padding_}, engine(), forward);
      return work_of(dnnl::convolution_backward_data(backward), backward.diff_src_desc(),
                     backward.weights_desc(), backward.diff_dst_desc());
    }
    const dnnl::convolution_backward_weights::primitive_desc backward(
        {kAlgorithm, any(x_), any(w_), any(y_), stride_, dilation_, padding_, padding_}, engine(), forward);
    return work_of(dnnl::convolution_backward_weights(backward), backward.src_desc(),
                   backward.diff_weights_desc(), backward.diff_dst_desc());
  }

 private:
  static constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
  static memory::desc any(const memory::dims& extents) {
    return {extents, memory::data_type::f32, memory::format_tag::any};
  }

  dnnl::convolution_forward::primitive_desc forward_descriptor() const {
    return {{dnnl::prop_kind::forward_training, kAlgorithm, any(x_), any(w_), any(y_), stride_, dilation_,
             padding_, padding_},
            engine()};
  }

  Work work_of(dnnl::primitive primitive, const memory::desc& x, const memory::desc& w,
               const memory::desc& y) const {
    const auto operand = [](const memory::dims& extents, const memory::desc& wanted, const Tensor& tensor) {
      return Operand(layout_of(extents, row_major_steps(extents)), wanted, tensor);
    };
    const Operand ox = operand(x_, x, p_.x), ow = operand(w_, w, p_.w), oy = operand(y_, y, p_.y);
    Work out;
    out.primitive = std::move(primitive);
    switch (p_.pass) {
      case ConvPass::forward:
        out.operands = {ox, ow, oy};
        out.arguments = {
            {DNNL_ARG_SRC, ox.wanted()}, {DNNL_ARG_WEIGHTS, ow.wanted()}, {DNNL_ARG_DST, oy.wanted()}};
        break;
      case ConvPass::backward_input:
        out.operands = {oy, ow, ox};
        out.arguments = {{DNNL_ARG_DIFF_DST, oy.wanted()},
                         {DNNL_ARG_WEIGHTS, ow.wanted()},
                         {DNNL_ARG_DIFF_SRC, ox.wanted()}};
        break;
      case ConvPass::backward_weight:
        out.operands = {oy, ox, ow};
        out.arguments = {{DNNL_ARG_DIFF_DST, oy.wanted()},
                         {DNNL_ARG_SRC, ox.wanted()},
                         {DNNL_ARG_DIFF_WEIGHTS, ow.wanted()}};
    }
    return out;
  }

  const ConvPeer& p_;
  int axes_;
  memory::dims stride_, padding_, dilation_, x_, w_, y_;
};

Tensor by_tenon(const ConvPeer& p) {
  const auto spatial = [](const Tensor& t) {
    Dims extents;
    for (int i = 2; i < t.rank(); ++i) extents.push_back(t.size(i));
    return extents;
  };
  if (p.pass == ConvPass::forward) return conv(p.x, p.w, {}, p.options);
  if (p.pass == ConvPass::backward_input) return conv_backward_input(p.y, p.w, spatial(p.x), p.options);
  return conv_backward_weight(p.y, p.x, spatial(p.w), p.options);
}

const Tensor& result_of(const ConvPeer& p) {
  if (p.pass == ConvPass::forward) return p.y;
  return p.pass == ConvPass::backward_input ? p.x : p.w;
}

// ---- product --------------------------------------------------------------------------------------------------------

Work product(const Tensor& a, const Tensor& b, const Tensor& c) {
  const auto layout = [](const Tensor& x) {
    return layout_of(extents_of(x), {x.strides().begin(), x.strides().end()});
  };
  Work out;
  out.primitive = dnnl::matmul(dnnl::matmul::primitive_desc({layout(a), layout(b), layout(c)}, engine()));
  for (const Tensor& x : {a, b, c}) out.operands.emplace_back(layout(x), layout(x), x);
  out.arguments = {{DNNL_ARG_SRC, out.operands[0].wanted()},
                   {DNNL_ARG_WEIGHTS, out.operands[1].wanted()},
                   {DNNL_ARG_DST, out.operands[2].wanted()}};
  return out;
}

// Work that is made when it is first asked for, and checked then.
class Lazy {
 public:
  Lazy(std::function<Work()> make, std::function<Tensor()> tenon, Tensor result)
      : make_(std::move(make)), tenon_(std::move(tenon)), result_(std::move(result)) {}
  Work& get() {
    if (work_ != nullptr) return *work_;
    use_our_threads();
    try {
      work_ = std::make_unique<Work>(make_());
      work_->compute_on_plain();
    } catch (const dnnl::error& error) {
      fail("bench: oneDNN: ", error.message);
    }
    check_agrees("onednn", result_, tenon_());
    return *work_;
  }

 private:
  std::function<Work()> make_;
  std::function<Tensor()> tenon_;
  Tensor result_;
  std::unique_ptr<Work> work_;
};

}  // namespace

void append_onednn(std::vector<Contestant>& contestants, const ConvPeer& problem) {
  const auto work = std::make_shared<Lazy>([=] { return Convolution(problem).work(); },
                                           [=] { return by_tenon(problem); }, result_of(problem));
  contestants.push_back({"onednn", [=] { work->get().compute_on_plain(); }});
  contestants.push_back({"onednn blocked", [=] { work->get().compute(); }});
}

void append_onednn(std::vector<Contestant>& contestants, const Tensor& a, const Tensor& b) {
  Shape shape = a.shape();
  shape[shape.rank() - 1] = b.size(-1);
  const Tensor c = Tensor::empty(shape);
  const auto work = std::make_shared<Lazy>([=] { return product(a, b, c); }, [=] { return matmul(a, b); }, c);
  contestants.push_back({"onednn", [=] { work->get().compute(); }});
}

#else

void append_onednn(std::vector<Contestant>& /*contestants*/, const ConvPeer& /*problem*/) {}
void append_onednn(std::vector<Contestant>& /*contestants*/, const Tensor& /*a*/, const Tensor& /*b*/) {}

#endif

}  // namespace tenon::bench
