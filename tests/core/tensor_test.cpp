// Views against a naive model that moves every element, copies between dtypes, and what is refused.
#include "core/tensor.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>

#include "core/random.h"
#include "cuda/runtime/device_runtime.h"
#include "tests/seed.h"

using namespace tenon;

namespace {

// What a tensor should hold: a shape, and the elements in row-major order.
struct Model {
  Shape shape;
  std::vector<int64_t> values;
};

// Calls f with every multi-index in row-major order.
void for_each_index(const Shape& shape, const std::function<void(const Dims&)>& f) {
  Dims index = Dims::filled(shape.rank(), 0);
  for (int64_t i = 0; i < shape.numel(); ++i) {
    f(index);
    for (int axis = shape.rank() - 1; axis >= 0 && ++index[axis] == shape[axis]; --axis) index[axis] = 0;
  }
}

int64_t position(const Shape& shape, const Dims& index) {
  int64_t at = 0;
  for (int i = 0; i < shape.rank(); ++i) at = at * shape[i] + index[i];
  return at;
}

// The model of a view: `source` tells which element of `from` stands at an index of `shape`.
Model viewed(const Model& from, const Shape& shape, const std::function<Dims(const Dims&)>& source) {
  Model to{shape, {}};
  for_each_index(shape, [&](const Dims& at) {
    to.values.push_back(from.values[static_cast<size_t>(position(from.shape, source(at)))]);
  });
  return to;
}

// A random shape of `numel` elements: prime factors thrown into random places, or zeros likewise.
Shape random_shape(int64_t numel, Generator& g) {
  Shape shape = Dims::filled(1 + static_cast<int>(g.next_below(kMaxRank)), 1);
  auto place = [&]() -> int64_t& {
    return shape[static_cast<int>(g.next_below(static_cast<uint32_t>(shape.rank())))];
  };
  if (numel == 0) {
    for (int i = 0; i < shape.rank(); ++i) shape[i] = g.next_below(4);
    place() = 0;
    return shape;
  }
  for (int64_t p = 2; numel > 1; ++p)
    for (; numel % p == 0; numel /= p) place() *= p;
  return shape;
}

// One random view of t, and the same of its model.
void take_view(Tensor& t, Model& m, Generator& g) {
  const int rank = t.rank();
  const int axis = rank > 0 ? static_cast<int>(g.next_below(static_cast<uint32_t>(rank))) : 0;
  const int64_t extent = rank > 0 ? m.shape[axis] : 0;
  const uint32_t kind = g.next_below(8);
  if (kind == 0) {  // reshape
    Shape shape = m.values.size() == 1 && g.next_below(3) == 0 ? Shape{} : random_shape(t.numel(), g);
    Shape asked = shape;
    if (shape.rank() > 0 && t.numel() > 0 && g.next_below(2)) asked[shape.rank() - 1] = -1;
    t = t.reshape(asked);
    m.shape = shape;
  } else if (kind == 1 && rank > 0) {  // permute, with axes counted from either end
    Tensor order = random_permutation(rank, g);
    Dims axes, asked;
    Shape shape;
    for (int i = 0; i < rank; ++i) {
      axes.push_back(order.data<int64_t>()[i]);
      asked.push_back(g.next_below(2) ? axes[i] : axes[i] - rank);
      shape.push_back(m.shape[static_cast<int>(axes[i])]);
    }
    t = t.permute(asked);
    m = viewed(m, shape, [&](const Dims& at) {
      Dims from = at;
      for (int i = 0; i < rank; ++i) from[static_cast<int>(axes[i])] = at[i];
      return from;
    });
  } else if (kind == 2 && rank > 0) {  // slice
    const int64_t start = g.next_below(static_cast<uint32_t>(extent + 1));
    const int64_t stop = start + g.next_below(static_cast<uint32_t>(extent - start + 1));
    const int64_t step = 1 + g.next_below(3);
    t = t.slice(axis - rank, start, stop, step);
    Shape shape = m.shape;
    shape[axis] = (stop - start + step - 1) / step;
    m = viewed(m, shape, [&](Dims at) {
      at[axis] = start + at[axis] * step;
      return at;
    });
  } else if (kind == 3 && rank > 0 && extent > 0) {  // select
    const int64_t index = g.next_below(static_cast<uint32_t>(extent));
    t = t.select(axis, g.next_below(2) ? index : index - extent);
    Shape shape = m.shape;
    shape.erase(axis);
    m = viewed(m, shape, [&](Dims at) {
      at.insert(axis, index);
      return at;
    });
  } else if (kind == 4 && rank < kMaxRank) {  // a new axis, repeated
    const int place = static_cast<int>(g.next_below(static_cast<uint32_t>(rank + 1)));
    Shape shape = m.shape;
    shape.insert(place, g.next_below(3));
    t = t.unsqueeze(place).expand(shape);
    m = viewed(m, shape, [&](Dims at) {
      at.erase(place);
      return at;
    });
  } else if (kind == 5 && rank > 0 && extent == 1) {  // squeeze
    t = t.squeeze(axis);
    m.shape.erase(axis);
  } else if (kind == 6 && rank > 1) {  // transpose
    t = t.transpose(0, axis);
    Shape shape = m.shape;
    std::swap(shape[0], shape[axis]);
    m = viewed(m, shape, [&](Dims at) {
      std::swap(at[0], at[axis]);
      return at;
    });
  } else if (kind == 7 && rank > 0) {  // flatten
    t = t.flatten(axis);
    Shape shape;
    for (int i = 0; i <= axis; ++i) shape.push_back(m.shape[i]);
    for (int i = axis + 1; i < rank; ++i) shape[axis] *= m.shape[i];
    m.shape = shape;
  }
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("tensor: chains of views hold what a model that moves every element holds") {
  Generator g(test_seed(), 40);
  for (int chain = 0; chain < 3000; ++chain) {
    const int64_t numels[] = {0, 1, 2, 6, 12, 24, 36, 60};
    Shape shape = random_shape(numels[g.next_below(8)], g);
    if (g.next_below(10) == 0) shape = {};
    Model model{shape, {}};
    for (int64_t i = 0; i < shape.numel(); ++i) model.values.push_back(i);
    Tensor t = Tensor::arange(shape.numel()).reshape(shape);
    std::string path = shape.str();
    for (int step = 0; step < 6 && t.numel() < 500; ++step) {
      take_view(t, model, g);
      path += " " + t.shape().str();
      INFO(path);
      REQUIRE(t.shape() == model.shape);
      REQUIRE(t.numel() == model.shape.numel());
      REQUIRE(t.to_vector<int64_t>() == model.values);
      // The strides agree too: dense, contiguous and clone are judged and made by them.
      int64_t i = 0;
      for_each_index(model.shape, [&](const Dims& at) {
        int64_t offset = 0;
        for (int k = 0; k < at.rank(); ++k) offset += at[k] * t.strides()[k];
        REQUIRE(t.data<int64_t>()[offset] == model.values[static_cast<size_t>(i++)]);
      });
      REQUIRE(t.contiguous().is_contiguous());
      REQUIRE(t.clone().is_dense());
      REQUIRE(t.clone().to_vector<int64_t>() == model.values);
      if (t.is_contiguous()) REQUIRE(t.is_dense());
      if (t.overlaps_itself() && !t.is_empty()) REQUIRE_FALSE(t.is_dense());
    }
  }
}

TEST_CASE("tensor: views share storage, reshape as far as memory allows") {
  Tensor x = Tensor::zeros({2, 3, 4});
  CHECK(x.permute({2, 0, 1}).shares_storage_with(x));
  CHECK(x.reshape({6, 4}).shares_storage_with(x));
  CHECK(x.permute({2, 0, 1}).reshape({4, 6}).shares_storage_with(x));        // 2 and 3 lie side by side
  CHECK_FALSE(x.permute({1, 0, 2}).reshape({6, 4}).shares_storage_with(x));  // 3 and 2 do not
  CHECK(x.t().reshape({2, 2, 2, 3}).shares_storage_with(x));                 // an axis may always be cut
  CHECK(x.slice(2, 0, 4, 2).reshape({12}).shares_storage_with(x));           // even steps over everything
  x.select(1, 1).fill_(5);
  CHECK(x.to_vector<float>()[5] == 5);
  CHECK(x.version() == 2);  // filled twice
  CHECK(std::string(x.last_writer()) == "fill_");
}

TEST_CASE("tensor: copies keep the order of axes in memory, contiguous does not") {
  Tensor channels_last = Tensor::arange(24).reshape({2, 3, 4}).permute({0, 2, 1});
  CHECK(channels_last.is_dense());
  CHECK_FALSE(channels_last.is_contiguous());
  for (const Tensor& y :
       {channels_last.clone(), channels_last.to(float32), Tensor::empty_like(channels_last)})
    CHECK(y.strides() == channels_last.strides());
  CHECK(channels_last.contiguous().strides() == Strides{12, 3, 1});
}

TEST_CASE("tensor: views refuse what does not fit, by name") {
  Tensor x = Tensor::zeros({2, 3});
  const int64_t huge = std::numeric_limits<int64_t>::max();
  CHECK(contains(message_of([&] { x.slice(1, 2, 1); }), "slice: expects 0 <= start <= stop <= 3"));
  CHECK(contains(message_of([&] { x.slice(1, 0, 4); }), "slice"));
  CHECK(contains(message_of([&] { x.slice(0, -1, 1); }), "slice"));
  CHECK(contains(message_of([&] { x.slice(2, 0, 1); }), "axis 2"));
  CHECK(x.slice(1, 0, 3, huge).shape() == Shape{2, 1});
  CHECK(x.slice(1, 3, 3, huge).shape() == Shape{2, 0});
  CHECK(contains(message_of([&] { x.select(0, 2); }), "select: index 2"));
  CHECK(contains(message_of([&] { x.select(0, -3); }), "select: index -3"));
  CHECK(contains(message_of([&] { x.squeeze(0); }), "squeeze"));
  CHECK(contains(message_of([&] { x.expand({3, 3}); }), "[2, 3] does not broadcast to [3, 3]"));
  CHECK(contains(message_of([&] { x.reshape({-1, 4}); }), "reshape: shape [2, 3] has 6 elements"));
  CHECK(contains(message_of([&] { Tensor::zeros({0, 3}).reshape({2, 2}); }), "reshape"));
  CHECK(contains(message_of([&] { x.flatten(1, 0); }), "flatten"));
  CHECK(contains(message_of([] { Tensor().reshape({1}); }), "reshape: undefined"));
  CHECK(contains(message_of([] { Tensor::zeros({-1}); }), "not negative"));
  CHECK(contains(message_of([=] { Tensor::empty({huge, 2}); }), "too many elements"));
  CHECK(contains(message_of([=] { Tensor::empty({huge}); }), "too large"));
  CHECK(contains(message_of([=] { Tensor::empty({0, huge, huge}); }), "too many elements"));
  CHECK(contains(message_of([&] { x.narrow(0, 1, huge); }), "narrow: expects a window of [2, 3]"));
  CHECK(contains(message_of([&] { x.reshape({huge, huge, -1}); }), "too many elements"));
  CHECK(contains(message_of([] { Dims::filled(9, 1); }), "rank is at most 8"));
}

TEST_CASE("tensor: as_strided stays inside the storage") {
  Tensor x = Tensor::arange(12);
  const int64_t huge = std::numeric_limits<int64_t>::max();
  CHECK(x.as_strided({3, 2}, {4, 3}, 0).to_vector<int64_t>() == std::vector<int64_t>{0, 3, 4, 7, 8, 11});
  CHECK(x.as_strided({2, 2}, {0, 1}, 10).to_vector<int64_t>() == std::vector<int64_t>{10, 11, 10, 11});
  CHECK(x.slice(0, 6, 12).as_strided({12}, {1}, 0).numel() == 12);  // the offset counts from the storage
  CHECK(x.as_strided({0, 5}, {100, 100}, 0).is_empty());
  struct Window {
    Shape shape;
    Strides strides;
    int64_t offset;
  };
  const Window outside[] = {{{3, 2}, {4, 4}, 0}, {{12}, {1}, 1},   {{2}, {1}, -1},
                            {{1}, {1}, 12},      {{2}, {huge}, 1}, {{3}, {huge / 2 + 1}, 0},
                            {{huge}, {2}, 0},    {{1}, {1}, huge}};
  for (const Window& w : outside) {
    INFO(w.shape.str(), w.strides.str(), w.offset);
    CHECK(contains(message_of([&] { x.as_strided(w.shape, w.strides, w.offset); }), "reach outside"));
  }
  CHECK(contains(message_of([&] { x.as_strided({2}, {-1}, 5); }), "not negative"));
  const Tensor sliding = x.as_strided({3, 3}, {1, 1}, 0), stepped = x.as_strided({2, 3}, {6, 2}, 0);
  CHECK(sliding.overlaps_itself());
  CHECK_FALSE(stepped.overlaps_itself());
  CHECK(contains(message_of([&] { sliding.copy_(Tensor::zeros({3, 3}, int64)); }), "share memory"));
  CHECK(contains(message_of([&] { x.as_strided({2}, {1, 1}, 0); }), "differ in rank"));
}

TEST_CASE("tensor: copies convert between all dtypes, broadcast, and may overlap") {
  const DType dtypes[] = {float32, float64, int64, int32, uint8};
  const std::vector<double> values = {0, 1, 2.75, 100, 200.5, 255};
  for (DType from : dtypes)
    for (DType to : dtypes) {
      INFO(name_of(from), " to ", name_of(to));
      Tensor source = Tensor::from(values).to(from);
      std::vector<double> expected = values;
      if (!is_floating(from) || !is_floating(to))
        for (double& v : expected) v = static_cast<double>(static_cast<int64_t>(v));  // floats truncate
      CHECK(source.to(to).dtype() == to);
      CHECK(source.to(to).to(float64).to_vector<double>() == expected);
      Tensor target = Tensor::zeros({6, 2}, to);
      target.t().copy_(source);
      Tensor column = target.select(1, 1).to(float64);
      CHECK(column.to_vector<double>() == expected);
    }
  Tensor x = Tensor::arange(6);
  x.slice(0, 1, 6).copy_(x.slice(0, 0, 5));
  CHECK(x.to_vector<int64_t>() == std::vector<int64_t>{0, 0, 1, 2, 3, 4});
  CHECK(contains(message_of([] { Tensor::zeros({1}).expand({3}).copy_(Tensor::zeros({3})); }), "copy_"));
  CHECK(contains(message_of([] { Tensor::zeros({3}).copy_(Tensor::zeros({2, 3})); }), "copy_"));
}

TEST_CASE("device: where there is none, asking for it says why") {
  CHECK(cuda::why_unavailable().empty() == Device::has_cuda());
  if (Device::has_cuda()) return;
  std::string message;
  try {
    Device::parse("cuda");
  } catch (const Error& error) {
    message = error.what();
  }
  for (const std::string& part :
       {std::string("no CUDA device: "), cuda::why_unavailable(), concat("CUDA=", cuda::build_mode()),
        std::string("CUDA=emulated needs no card")})
    CHECK(message.find(part) != std::string::npos);
}

TEST_CASE("tensor: reading elements as what they are not is refused") {
  Tensor x = Tensor::from<float>({1.5f, 2}, {2});
  CHECK(contains(message_of([&] { x.data<double>(); }), "tensor is float32, asked for float64"));
  CHECK(contains(message_of([&] { x.to_vector<int64_t>(); }), "asked for int64"));
  CHECK(contains(message_of([&] { x.item(); }), "item: expects one element"));
  CHECK(contains(message_of([] { Tensor::from<float>({1, 2, 3}, {2, 2}); }), "[2, 2] has 4 elements, got 3"));
  CHECK(contains(message_of([] { Tensor().data<float>(); }), "undefined"));
  CHECK(x.select(0, 0).item() == 1.5);
  CHECK(x.str() == "float32 [2] on cpu");
  CHECK(Tensor().str() == "undefined");
}
