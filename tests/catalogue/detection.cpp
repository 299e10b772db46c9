#include "core/ops/detection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops/detection.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// ---- RoIAlign ---------------------------------------------------------------------------------------

struct RoiCase {
  int64_t images, channels, height, width, regions;
  RoiAlignOptions options;
  Shape x() const { return {images, channels, height, width}; }
  Shape y() const { return {regions, channels, options.height, options.width}; }
};

// The samples of one axis of a box, cell by cell: positions in x.
std::vector<std::vector<double>> samples_of(const RoiCase& c, double low, double high, int64_t cells) {
  const double half = c.options.aligned ? 0.5 : 0, start = low * c.options.scale - half;
  const double length = std::max(high * c.options.scale - half - start, c.options.aligned ? 0.0 : 1.0);
  const double cell = length / static_cast<double>(cells);
  const int64_t count =
      c.options.sampling_ratio > 0 ? c.options.sampling_ratio : static_cast<int64_t>(std::ceil(cell));
  std::vector<std::vector<double>> positions(static_cast<size_t>(cells));
  for (int64_t i = 0; i < cells; ++i)
    for (int64_t s = 0; s < count; ++s)
      positions[static_cast<size_t>(i)].push_back(
          start +
          (static_cast<double>(i) + (static_cast<double>(s) + 0.5) / static_cast<double>(count)) * cell);
  return positions;
}

// Boxes on a grid of 1/64 that reach over the borders, some of them backwards. No sample comes near the places where
// one stops counting, since a rounding would decide there.
Tensor draw_boxes(Draw& d, const RoiCase& c) {
  const auto draw = [&](int64_t extent) {
    const double wide = static_cast<double>(extent) / c.options.scale;
    return std::floor((d.generator.next_uniform() * 1.6 - 0.3) * wide * 64) / 64;
  };
  const auto is_clear = [&](double low, double high, int64_t cells, int64_t extent) {
    for (const auto& cell : samples_of(c, low, high, cells))
      for (double at : cell)
        if (std::fabs(at + 1) < 0.01 || std::fabs(at - static_cast<double>(extent)) < 0.01) return false;
    return true;
  };
  Tensor boxes = Tensor::empty({4, c.regions}, float64);  // not the order that kernels read
  for (int64_t r = 0; r < c.regions; ++r)
    for (int axis = 0; axis < 2; ++axis) {
      const int64_t extent = axis == 0 ? c.width : c.height;
      const int64_t cells = axis == 0 ? c.options.width : c.options.height;
      double low = 0, high = 0;
      do {
        low = draw(extent), high = draw(extent);
        if (r % 5 != 4 && high < low) std::swap(low, high);
      } while (!is_clear(low, high, cells, extent));
      boxes.data<double>()[axis * c.regions + r] = low;
      boxes.data<double>()[(axis + 2) * c.regions + r] = high;
    }
  return boxes.t();
}

// Calls f(element of y, element of x, weight) for every corner of every sample.
template <class F>
void for_each_sample(const RoiCase& c, const Tensor& boxes, const Array& image, F&& f) {
  const auto box = boxes.contiguous().to_vector<double>();
  const auto corners = [](double at, int64_t extent, int64_t(&i)[2], double(&w)[2]) {
    const bool counts = at >= -1 && at <= static_cast<double>(extent);
    at = std::clamp(at, 0.0, static_cast<double>(extent - 1));
    i[0] = static_cast<int64_t>(at), i[1] = std::min(i[0] + 1, extent - 1);
    w[1] = at - static_cast<double>(i[0]), w[0] = 1 - w[1];
    if (!counts) w[0] = w[1] = 0;
  };
  for (int64_t r = 0; r < c.regions; ++r) {
    const double* const b = box.data() + 4 * r;
    const auto rows = samples_of(c, b[1], b[3], c.options.height);
    const auto columns = samples_of(c, b[0], b[2], c.options.width);
    for (int64_t ch = 0; ch < c.channels; ++ch)
      for (size_t i = 0; i < rows.size(); ++i)
        for (size_t j = 0; j < columns.size(); ++j)
          for (double at_y : rows[i])
            for (double at_x : columns[j]) {
              int64_t iy[2], ix[2];
              double wy[2], wx[2];
              corners(at_y, c.height, iy, wy), corners(at_x, c.width, ix, wx);
              const double share = 1.0 / static_cast<double>(rows[i].size() * columns[j].size());
              const int64_t to = (r * c.channels + ch) * static_cast<int64_t>(rows.size() * columns.size()) +
                                 static_cast<int64_t>(i * columns.size() + j);
              const int64_t plane = (static_cast<int64_t>(image[r]) * c.channels + ch) * c.height * c.width;
              for (int a = 0; a < 2; ++a)
                for (int k = 0; k < 2; ++k) f(to, plane + iy[a] * c.width + ix[k], wy[a] * wx[k] * share);
            }
  }
}

std::vector<RoiCase> roi_sizes(const Draw& d) {
  const RoiAlignOptions paper{.height = 3, .width = 2, .scale = 0.5, .sampling_ratio = 2, .aligned = false};
  const RoiAlignOptions adaptive{.height = 2, .width = 3};
  if (d.is(Size::large)) return {{3, 40, 30, 41, 24, {.height = 7, .width = 7, .sampling_ratio = 2}}};
  if (d.is(Size::one)) return {{1, 1, 1, 1, 1, {.height = 1, .width = 1}}, {1, 1, 1, 1, 1, paper}};
  if (d.is(Size::empty)) return {{2, 3, 4, 5, 0, adaptive}, {2, 0, 4, 5, 3, adaptive}};
  if (d.is(Size::odd)) return {{3, 9, 5, 7, 7, adaptive}, {1, 11, 13, 3, 5, paper}};
  return {{2, 2, 6, 7, 5, adaptive},
          {2, 3, 5, 6, 4, paper},
          {1, 2, 6, 5, 3, {.height = 2, .width = 2, .scale = 2, .sampling_ratio = 3}}};
}

std::string label_of(const RoiCase& c) {
  return concat("x ", c.x(), " y ", c.y(), " samples ", c.options.sampling_ratio,
                c.options.aligned ? " aligned" : "");
}

// What the calls get as boxes: those of the case as the other operand is.
Tensor boxes_like(const Tensor& boxes, const Tensor& x) { return boxes.to(x.dtype()).to(x.device()); }

std::vector<Case> roi_align_cases(Draw& d) {
  std::vector<Case> cases;
  for (const RoiCase& size : roi_sizes(d)) {
    const Tensor boxes = draw_boxes(d, size);
    Case c;
    c.label = label_of(size);
    c.inputs = {d.normal(size.x()), d.integers({size.regions}, 0, size.images)};
    c.tensors = [=](const Tensors& in) {
      return Tensors{roi_align(in[0], boxes_like(boxes, in[0]), in[1], size.options)};
    };
    c.variables = [=](const Variables& in) {
      return Variables{roi_align(in[0], boxes_like(boxes, in[0].value()), in[1].value(), size.options)};
    };
    c.reference = [=](const Arrays& in) {
      Array y(size.y());
      for_each_sample(size, boxes, in[1],
                      [&](int64_t to, int64_t from, double w) { y[to] += w * in[0][from]; });
      return Arrays{y};
    };
    cases.push_back(c);
  }
  return cases;
}

std::vector<Case> roi_align_backward_cases(Draw& d) {
  std::vector<Case> cases;
  for (const RoiCase& size : roi_sizes(d)) {
    const Tensor boxes = draw_boxes(d, size);
    const Dims in{size.height, size.width};
    Case c;
    c.label = label_of(size);
    c.inputs = {d.normal(size.y()), d.integers({size.regions}, 0, size.images)};
    c.tensors = [=](const Tensors& t) {
      return Tensors{roi_align_backward(t[0], boxes_like(boxes, t[0]), t[1], size.images, in, size.options)};
    };
    c.variables = [=](const Variables& v) {
      return Variables{roi_align_backward(v[0], boxes_like(boxes, v[0].value()), v[1].value(), size.images,
                                          in, size.options)};
    };
    c.reference = [=](const Arrays& a) {
      Array dx(size.x());
      for_each_sample(size, boxes, a[1],
                      [&](int64_t from, int64_t to, double w) { dx[to] += w * a[0][from]; });
      return Arrays{dx};
    };
    cases.push_back(c);
  }
  return cases;
}

// What both refuse; `call` gets the image operand, boxes, images and options.
template <class F>
std::vector<Refusal> roi_refusals(const std::string& op, const Tensor& x, F&& call) {
  const Tensor boxes = Tensor::zeros({2, 4}), image = Tensor::zeros({2}, int64);
  const RoiAlignOptions one{.height = 1, .width = 1};
  return {
      {"undefined x", [=] { call(Tensor(), boxes, image, one); }, {op, "undefined"}},
      {"undefined boxes", [=] { call(x, Tensor(), image, one); }, {op, "undefined boxes"}},
      {"undefined image", [=] { call(x, boxes, Tensor(), one); }, {op, "undefined index"}},
      {"rank",
       [=] {
         call(Tensor::zeros({2, 3}), boxes, image, one);
       },
       {op, "[2, 3]"}},
      {"boxes",
       [=] {
         call(x, Tensor::zeros({2, 5}), image, one);
       },
       {op, "boxes [R, 4]", "[2, 5]"}},
      {"dtypes", [=] { call(x, boxes.to(float64), image, one); }, {op, "float32", "float64"}},
      {"integers", [=] { call(x.to(int32), boxes.to(int32), image, one); }, {op, "int32"}},
      {"images", [=] { call(x, boxes, Tensor::zeros({3}, int64), one); }, {op, "2 boxes", "[3]"}},
      {"no such image", [=] { call(x, boxes, Tensor::full({2}, 1, int64), one); }, {op, "index 1"}},
      {"no cells", [=] { call(x, boxes, image, RoiAlignOptions{.height = 1}); }, {op, "one cell", "1 x 0"}},
      {"scale",
       [=] { call(x, boxes, image, RoiAlignOptions{.height = 1, .width = 1, .scale = 0}); },
       {op, "scale above 0"}},
      {"samples",
       [=] { call(x, boxes, image, RoiAlignOptions{.height = 1, .width = 1, .sampling_ratio = -1}); },
       {op, "sampling_ratio", "-1"}}};
}

const Register roi_align_row({
    .op = "roi_align",
    .cases = roi_align_cases,
    .refusals =
        [] {
          const auto call = [](const Tensor& x, const Tensor& boxes, const Tensor& image,
                               const RoiAlignOptions& options) { roi_align(x, boxes, image, options); };
          std::vector<Refusal> all = roi_refusals("roi_align", Tensor::zeros({1, 1, 3, 3}), call);
          all.push_back({"no elements",
                         [call] {
                           call(Tensor::zeros({1, 1, 0, 3}), Tensor::zeros({1, 4}), Tensor::zeros({1}, int64),
                                {.height = 1, .width = 1});
                         },
                         {"roi_align", "[0, 3]"}});
          return all;
        },
    .tolerance = 2e-5,
    .tolerance_reason =
        "positions of some 40 elements carry 2e-6 of rounding in float32, and slopes are up to 5",
});

const Register roi_align_backward_row({
    .op = "roi_align_backward",
    .cases = roi_align_backward_cases,
    .refusals =
        [] {
          std::vector<Refusal> all = roi_refusals(
              "roi_align_backward", Tensor::zeros({2, 1, 1, 1}),
              [](const Tensor& g, const Tensor& boxes, const Tensor& image, const RoiAlignOptions& options) {
                roi_align_backward(g, boxes, image, 1, {3, 3}, options);
              });
          const Tensor g = Tensor::zeros({2, 1, 1, 1}), boxes = Tensor::zeros({2, 4});
          all.push_back({"shape of g",
                         [=] {
                           roi_align_backward(g, boxes, Tensor::zeros({2}, int64), 1, {3, 3},
                                              {.height = 2, .width = 1});
                         },
                         {"roi_align_backward", "[2, 1, 2, 1]", "[2, 1, 1, 1]"}});
          all.push_back({"extents",
                         [=] {
                           roi_align_backward(g, boxes, Tensor::zeros({2}, int64), 1, {3},
                                              {.height = 1, .width = 1});
                         },
                         {"roi_align_backward", "two extents", "[3]"}});
          return all;
        },
    .tolerance = 2e-5,
    .tolerance_reason = "as roi_align",
});

// ---- nms --------------------------------------------------------------------------------------------

std::vector<Case> nms_cases(Draw& d) {
  std::vector<Case> cases;
  const int64_t n = d.extent(20, 131, 1500);
  for (double threshold : {0.3, 0.6}) {
    Case c;
    c.label = concat(n, " boxes, threshold ", threshold);
    Tensor boxes = d.uniform({n, 4}, 0, 10);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t axis = 0; axis < 2; ++axis) {
        double* const b = boxes.data<double>() + 4 * i + axis;
        b[2] = b[0] + b[2] / 2 - (i % 7 == 6 ? 6 : 0);  // some are backwards, and overlap nothing
      }
    // Of equal scores the first box counts.
    c.inputs = {boxes, d.integers({n}, 0, std::max<int64_t>(n / 2, 1)).to(float64)};
    c.tensors = [threshold](const Tensors& in) { return Tensors{nms(in[0], in[1], threshold)}; };
    c.reference = [threshold, n](const Arrays& in) {
      std::vector<int64_t> order(static_cast<size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return in[1][a] > in[1][b]; });
      const auto area = [&](const double* b) { return (b[2] - b[0]) * (b[3] - b[1]); };
      std::vector<double> kept;
      for (int64_t i : order) {
        const double* const a = in[0].v.data() + 4 * i;
        const bool overlaps = std::any_of(kept.begin(), kept.end(), [&](double k) {
          const double* const b = in[0].v.data() + 4 * static_cast<int64_t>(k);
          const double shared = std::max(std::min(a[2], b[2]) - std::max(a[0], b[0]), 0.0) *
                                std::max(std::min(a[3], b[3]) - std::max(a[1], b[1]), 0.0);
          return shared / (area(a) + area(b) - shared) > threshold;
        });
        if (!overlaps) kept.push_back(static_cast<double>(i));
      }
      Array numbers({static_cast<int64_t>(kept.size())});
      numbers.v = kept;
      return Arrays{numbers};
    };
    cases.push_back(c);
  }
  return cases;
}

const Register nms_row({
    .op = "nms",
    .cases = nms_cases,
    .refusals =
        [] {
          const Tensor boxes = Tensor::zeros({2, 4}), scores = Tensor::zeros({2});
          return std::vector<Refusal>{
              {"undefined boxes", [=] { nms(Tensor(), scores, 0.5); }, {"nms", "undefined boxes"}},
              {"undefined scores", [=] { nms(boxes, Tensor(), 0.5); }, {"nms", "undefined scores"}},
              {"boxes",
               [=] {
                 nms(Tensor::zeros({2, 3}), scores, 0.5);
               },
               {"nms", "[R, 4]", "[2, 3]"}},
              {"scores", [=] { nms(boxes, Tensor::zeros({3}), 0.5); }, {"nms", "2 boxes", "[3]"}},
              {"dtypes", [=] { nms(boxes, scores.to(float64), 0.5); }, {"nms", "float32", "float64"}},
              {"integers", [=] { nms(boxes.to(int32), scores.to(int32), 0.5); }, {"nms", "int32"}},
              {"threshold", [=] { nms(boxes, scores, 1.5); }, {"nms", "[0, 1]", "1.5"}},
          };
        },
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(roi_align)
TENON_ROW(roi_align_backward)
TENON_ROW(nms)
