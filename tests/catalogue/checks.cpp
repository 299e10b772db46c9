// What is checked of every row (tests/catalogue/row.h).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "autograd/gradcheck.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/parallel.h"
#include "cuda/runtime/device_runtime.h"
#include "cuda/runtime/settings.h"
#include "tests/catalogue/row.h"
#include "tests/seed.h"

namespace tenon::catalogue {
namespace {

const Size kSizes[] = {Size::normal, Size::odd, Size::one, Size::empty, Size::large};

// A case without its variables for plain forward checks, and the context printed when a check fails.
struct Drawn {
  const Row* row;
  Size size;
  Case c;
  std::string name() const { return concat(row->op, " ", c.label, " (size ", static_cast<int>(size), ")"); }
};

std::vector<Drawn> draw_cases(const Row& row, std::initializer_list<Size> sizes) {
  std::vector<Drawn> drawn;
  for (Size size : sizes) {
    Draw draw(size, test_seed(), std::hash<std::string>()(row.op) + static_cast<uint64_t>(size));
    for (Case& c : row.cases(draw)) drawn.push_back({&row, size, std::move(c)});
  }
  return drawn;
}

const contract::OpInfo& info_of(const char* op) {
  int count = 0;
  const contract::OpInfo* ops = contract::ops(count);
  for (int i = 0; i < count; ++i)
    if (std::strcmp(ops[i].name, op) == 0) return ops[i];
  fail("catalogue: row '", op, "' is not in core/ops/list.inc");
}

Tensors converted(const Tensors& inputs, DType dtype) {
  Tensors out;
  for (const Tensor& x : inputs) out.push_back(is_floating(x.dtype()) ? x.to(dtype) : x);
  return out;
}

// The same numbers in another layout: axes reversed in memory, or every second element of a wider block.
Tensor relaid(const Tensor& x, int way) {
  if (x.rank() == 0) return x;
  if (way == 0) {
    Dims reversed;
    for (int i = x.rank() - 1; i >= 0; --i) reversed.push_back(i);
    Shape shape;
    for (int64_t axis : reversed) shape.push_back(x.shape()[static_cast<int>(axis)]);
    Tensor out = Tensor::empty(shape, x.dtype(), x.device()).permute(reversed);
    out.copy_(x);
    return out;
  }
  Shape wide = x.shape();
  wide[x.rank() - 1] = 2 * wide[x.rank() - 1] + 1;
  Tensor out = Tensor::full(wide, 77, x.dtype(), x.device());
  int64_t last = x.size(-1);
  Tensor window = out.slice(-1, last > 0 ? 1 : 0, last > 0 ? 2 * last : 0, 2);
  window.copy_(x);
  return window;
}

Tensors relaid(const Tensors& inputs, int way) {
  Tensors out;
  for (const Tensor& x : inputs) out.push_back(relaid(x, way));
  return out;
}

Array as_array(const Tensor& x) {
  Array a;
  a.shape = x.shape();
  a.v = x.to(float64).to_vector<double>();
  return a;
}

Arrays reference_of(const Drawn& d, const Tensors& inputs) {
  Arrays arrays;
  for (const Tensor& x : inputs) arrays.push_back(as_array(x));
  return d.c.reference(arrays);
}

// Largest |got - expected| over max(1, largest |expected|); infinities and NaN must agree exactly.
double distance(const Tensor& got, const Array& expected) {
  Array g = as_array(got);
  double largest = 1, worst = 0;
  for (double e : expected.v)
    if (std::isfinite(e)) largest = std::max(largest, std::fabs(e));
  for (int64_t i = 0; i < g.numel(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(g[i])) continue;
    if (std::isinf(expected[i]) && expected[i] == g[i]) continue;
    double difference = std::fabs(g[i] - expected[i]);
    if (!(difference <= worst)) worst = difference;
    if (std::isnan(difference)) return difference;
  }
  return worst / largest;
}

void expect_close(const Drawn& d, const char* what, const Tensors& got, const Arrays& expected,
                  double tolerance) {
  INFO(d.name(), ": ", std::string(what));
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    INFO("output ", i, ": got ", got[i].shape().str(), ", expected ", expected[i].shape.str());
    REQUIRE(got[i].shape() == expected[i].shape);
    CHECK(distance(got[i], expected[i]) <= (is_floating(got[i].dtype()) ? tolerance : 0.0));
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  Tensor x = a.contiguous(), y = b.contiguous();
  return a.is_empty() ||
         std::memcmp(x.raw(), y.raw(), static_cast<size_t>(x.numel()) * size_of(x.dtype())) == 0;
}

// Outputs, then gradients of the weighted sum of the outputs for every floating input.
Tensors forward_and_backward(const Case& c, const Tensors& inputs) {
  Tensors results = c.tensors(inputs);
  if (!c.variables) return results;
  Variables variables;
  for (const Tensor& x : inputs) variables.emplace_back(x, is_floating(x.dtype()));
  Variable total;
  for (const Variable& y : c.variables(variables)) {
    if (!y.requires_grad()) continue;
    Generator generator(5, 5);
    Variable weight(random_uniform(y.shape(), generator, 0.5, 1.5, y.dtype(), y.device()));
    Variable part = sum(y * weight);
    total = total.defined() ? total + part : part;
  }
  if (!total.defined()) return results;
  for (const Variable& g : gradients({total}, variables))
    if (g.defined()) results.push_back(g.value());
  return results;
}

void check_forward(const Row& row) {
  int cases = 0;
  for (const Drawn& d : draw_cases(row, {Size::normal, Size::odd, Size::one, Size::empty, Size::large})) {
    ++cases;
    expect_close(d, "float64", d.c.tensors(d.c.inputs), reference_of(d, d.c.inputs), row.tolerance64);
    Tensors single = converted(d.c.inputs, float32);
    Arrays expected = reference_of(d, single);
    expect_close(d, "float32", d.c.tensors(single), expected, row.tolerance);
    if (d.size == Size::large) continue;
    expect_close(d, "axes reversed in memory", d.c.tensors(relaid(single, 0)), expected, row.tolerance);
    expect_close(d, "every second element", d.c.tensors(relaid(single, 1)), expected, row.tolerance);
  }
  CHECK(cases > 0);
}

void check_variables_agree(const Row& row) {
  for (const Drawn& d : draw_cases(row, {Size::normal, Size::empty, Size::one})) {
    if (!d.c.variables) continue;
    INFO(d.name());
    Variables variables;
    for (const Tensor& x : d.c.inputs) variables.emplace_back(x, is_floating(x.dtype()));
    Variables outputs = d.c.variables(variables);
    Tensors plain = d.c.tensors(d.c.inputs);
    REQUIRE(outputs.size() == plain.size());
    for (size_t i = 0; i < plain.size(); ++i) CHECK(same_bits(outputs[i].value(), plain[i]));
    forward_and_backward(d.c, d.c.inputs);  // of empty tensors too: must not throw
  }
}

void check_gradients(const Row& row, bool second) {
  int checked = 0;
  for (const Drawn& d : draw_cases(row, {Size::normal, Size::odd, Size::one})) {
    INFO(d.name());
    if (!d.c.variables) continue;  // a case of integers in a row that also has floating ones
    ++checked;
    GradcheckResult first = gradcheck(d.c.variables, d.c.inputs);
    INFO("first order at ", first.where);
    CHECK(first.relative_error <= 1e-6);
    // Layout must not matter to a backward either.
    GradcheckResult strided = gradcheck(d.c.variables, relaid(d.c.inputs, 0));
    INFO("first order, axes reversed in memory, at ", strided.where);
    CHECK(strided.relative_error <= 1e-6);
    if (!second || d.size == Size::odd) continue;
    GradcheckResult again = gradcheck_second(d.c.variables, d.c.inputs);
    INFO("second order at ", again.where);
    CHECK(again.relative_error <= 1e-6);
  }
  CHECK(checked > 0);
}

void check_refuses_second_order(const Row& row) {
  for (const Drawn& d : draw_cases(row, {Size::normal})) {
    INFO(d.name());
    CHECK_THROWS_AS(gradcheck_second(d.c.variables, d.c.inputs), Error);
  }
}

void check_threads(const Row& row) {
  const int before = num_threads();
  for (const Drawn& d : draw_cases(row, {Size::normal, Size::large})) {
    INFO(d.name());
    Tensors single = converted(d.c.inputs, float32);
    set_num_threads(1);
    Tensors one = forward_and_backward(d.c, single);
    for (int threads : {2, 7}) {
      set_num_threads(threads);
      Tensors many = forward_and_backward(d.c, single);
      REQUIRE(many.size() == one.size());
      for (size_t i = 0; i < one.size(); ++i) {
        INFO("result ", i, " with ", threads, " threads");
        CHECK(same_bits(one[i], many[i]));
      }
    }
  }
  set_num_threads(before);
}

void check_cuda(const Row& row) {
  bool views = std::strcmp(info_of(row.op).family, "view") == 0;  // views move no data and launch nothing
  for (const Drawn& d : draw_cases(row, {Size::normal, Size::odd, Size::one, Size::empty})) {
    INFO(d.name());
    Tensors host = converted(d.c.inputs, float32);
    Tensors device;
    for (const Tensor& x : host) device.push_back(x.to(Device::cuda()));
    uint64_t before = cuda::launch_count(), by_libraries = cuda::library_calls();
    Tensors got = d.c.tensors(device);
    bool anything = std::any_of(got.begin(), got.end(), [](const Tensor& t) { return !t.is_empty(); });
    if (!views && anything) CHECK(cuda::launch_count() > before);
    for (const Tensor& t : got) CHECK(t.device().is_cuda());
    expect_close(d, "on cuda", got, reference_of(d, host), row.tolerance);
    Tensors on_host = forward_and_backward(d.c, host);
    Tensors on_device = forward_and_backward(d.c, device);
    if (cuda::settings().by_hand()) CHECK(cuda::library_calls() == by_libraries);
    Arrays expected;
    for (const Tensor& t : on_host) expected.push_back(as_array(t));
    expect_close(d, "backward on cuda", on_device, expected, 10 * row.tolerance);
  }
}

void check_refusals(const Row& row) {
  REQUIRE(row.refusals);
  for (const Refusal& refusal : row.refusals()) {
    INFO(std::string(row.op), ": ", refusal.label);
    std::string message;
    try {
      refusal.call();
    } catch (const Error& error) {
      message = error.what();
    }
    INFO("message: ", message);
    CHECK_FALSE(message.empty());
    for (const std::string& part : refusal.message) CHECK(message.find(part) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("catalogue: one row an op, and one op a row") {
  std::map<std::string, int> seen;
  for (const Row& row : rows()) ++seen[info_of(row.op).name];
  int count = 0;
  const contract::OpInfo* ops = contract::ops(count);
  for (int i = 0; i < count; ++i) {
    INFO(std::string(ops[i].name));
    CHECK(seen[ops[i].name] == 1);
  }
}

TEST_CASE("catalogue: forward against the naive reference") {
  for (const Row& row : rows()) SUBCASE(row.op) check_forward(row);
}

TEST_CASE("catalogue: variables compute what tensors compute") {
  for (const Row& row : rows()) SUBCASE(row.op) check_variables_agree(row);
}

TEST_CASE("catalogue: gradients") {
  for (const Row& row : rows()) {
    const contract::OpInfo& info = info_of(row.op);
    if (info.differentiable == contract::Differentiable::no) continue;
    SUBCASE(row.op) {
      bool twice = info.differentiable == contract::Differentiable::twice;
      check_gradients(row, twice);
      if (!twice) check_refuses_second_order(row);
    }
  }
}

TEST_CASE("catalogue: the same bits for any number of threads") {
  for (const Row& row : rows()) SUBCASE(row.op) check_threads(row);
}

TEST_CASE("catalogue: CPU and CUDA agree") {
  if (!Device::has_cuda()) {
    MESSAGE("skipped: no device (CUDA=" << std::string(cuda::build_mode()) << ")");
    return;
  }
  int checked = 0;
  for (const Row& row : rows()) {
    if (info_of(row.op).devices != contract::Devices::both) continue;
    ++checked;
    SUBCASE(row.op) check_cuda(row);
  }
  CHECK(checked > 0);
}

TEST_CASE("catalogue: refused arguments") {
  for (const Row& row : rows()) SUBCASE(row.op) check_refusals(row);
}

}  // namespace tenon::catalogue
