// Convolution with a sparse weight, without a columns matrix. Take the padded image as one long line. An entry
// (o, c, k) of the weight then adds a shifted piece of channel c to the line of output o, always the same
// length:
//
//   line[o][i] += w * image[c][i + shift(k)]        i = 0 .. up to the last output
//
// which is what an entry of a sparse product does with a row of its dense operand: the tiles of spmm do it,
// over rows that overlap. The line holds outputs and, between them, what falls over the ends of lines of the
// image; that is left out when the line is copied to y. Bound: a load for a multiply-add, as in spmm; the image
// (20 channels of 12 x 12 take 11 KiB) comes from the first cache, and of the line the share (out / padded in)
// is of use.
#include "core/cpu/sparse_conv.h"

#include "core/cpu/lines.h"
#include "core/cpu/scratch.h"
#include "core/cpu/sparse_pieces.h"
#include "core/cpu/sparse_tile.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

int64_t plane_of(const SparseConvPlan& p) { return p.padded(0) * p.padded(1) * p.padded(2); }

// From the first output to the last in the padded image.
int64_t line_of(const SparseConvPlan& p) {
  return ((p.out[0] - 1) * p.padded(1) + p.out[1] - 1) * p.padded(2) + p.out[2];
}

// shifts[e]: where the piece of the image that entry e adds begins.
void find_shifts(const SparseConvPlan& p, int32_t* shifts) {
  const int64_t taps = p.kernel[0] * p.kernel[1] * p.kernel[2], plane = plane_of(p);
  for (int64_t e = 0; e < p.w.entries; ++e) {
    const int64_t channel = p.w.indices[e] / taps, tap = p.w.indices[e] % taps;
    const int64_t d = tap / (p.kernel[1] * p.kernel[2]), h = tap / p.kernel[2] % p.kernel[1],
                  w = tap % p.kernel[2];
    const int64_t at =
        (d * p.dilation[0] * p.padded(1) + h * p.dilation[1]) * p.padded(2) + w * p.dilation[2];
    shifts[e] = static_cast<int32_t>(channel * plane + at);
  }
}

// Copies an image into the middle of its padding, which is 0 already.
template <class T>
void copy_image(const SparseConvPlan& p, T* to, const T* x) {
  for (int64_t c = 0; c < p.in_channels; ++c)
    for (int64_t d = 0; d < p.in[0]; ++d)
      for (int64_t h = 0; h < p.in[1]; ++h) {
        const int64_t line = (c * p.padded(0) + d + p.padding[0]) * p.padded(1) + h + p.padding[1];
        copy_line(to + line * p.padded(2) + p.padding[2], x + ((c * p.in[0] + d) * p.in[1] + h) * p.in[2],
                  p.in[2]);
      }
}

// The outputs among what a line holds.
template <class T>
void copy_outputs(const SparseConvPlan& p, T* y, const T* line) {
  for (int64_t d = 0; d < p.out[0]; ++d)
    copy_lines(y + d * p.out[1] * p.out[2], line + d * p.padded(1) * p.padded(2), p.out[1], p.out[2],
               p.padded(2));
}

template <int kOut, class T>
void convolve(const SparseConvPlan& p, T* y, const T* values, const T* x, const T* bias) {
  constexpr int64_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
  const int64_t line = line_of(p), vectors = (line + lanes - 1) / lanes,
                outputs = p.out[0] * p.out[1] * p.out[2];
  const int64_t image = p.in_channels * plane_of(p);
  const Scratch<int32_t> shifts(p.w.entries);
  find_shifts(p, shifts.data());
  SpmmPlan product;  // of the weight with the overlapping rows of one image
  product.w = p.w;
  product.w.indices = shifts.data();
  product.rows_out = kOut, product.rows_y = p.out_channels;
  product.n = vectors * lanes;
  product.relu = p.relu;
  const ListPieces pieces(p.w, kOut * product.n);
  const int64_t work = (p.w.entries + p.w.lists) / pieces.count() * kOut * product.n;
  parallel_for(p.images * pieces.count(), grain_for_flops(work), [&](int64_t begin, int64_t end) {
    // A vector at the end of the last line reads on behind the image.
    const Scratch<T> padded(image + lanes), lines(kOut * product.n);
    std::fill_n(padded.data(), image + lanes, T{0});
    int64_t held = -1;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t n = task / pieces.count(), piece = task % pieces.count();
      if (n != held) copy_image(p, padded.data(), x + n * p.in_channels * p.in[0] * p.in[1] * p.in[2]);
      held = n;
      const auto panel = Panel<T>::template of<kOut>(padded.data(), 1, product.n);
      const int64_t last = pieces.begin(piece + 1);
      for (int64_t list = pieces.begin(piece); list < last; ++list) {
        list_panel<kOut, 1>(product, list, lines.data(), values, panel, bias);
        for (int64_t o = list * kOut; o < std::min(p.out_channels, (list + 1) * kOut); ++o)
          copy_outputs(p, y + (n * p.out_channels + o) * outputs,
                       lines.data() + (o - list * kOut) * product.n);
      }
    }
  });
}

}  // namespace

void sparse_conv(const SparseConvPlan& plan, DType dtype, void* y, const void* values, const void* x,
                 const void* bias) {
  visit_floating("sparse_conv", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_block_rows(plan.block_rows, [&](auto rows) {
      convolve<decltype(rows)::value>(plan, static_cast<T*>(y), static_cast<const T*>(values),
                                      static_cast<const T*>(x), static_cast<const T*>(bias));
    });
  });
}

}  // namespace tenon::cpu
