// C = A B, batched, float32 and float64, with strides, so that a transposed operand needs no copy.
//
// A block computes a tile of C (tile.h): 128 x 128 or 64 x 128 with 8 x 8 in a thread, or 64 x 64 with 4 x 4, whichever
// leaves the busiest multiprocessor the least to do, and tiles of 16 or 32 rows for thin products. The thin side, up to
// 64, is made the rows. Pieces come by asynchronous copies: 16 bytes at a time where an operand runs along its side of C
// and is aligned, else element by element, along whichever axis has stride 1. If the tiles are few and k is long, k is
// cut into parts, a block each, joined in order by a second kernel. One row (or column) of C is a product of a matrix
// and a vector: kernels of their own.
//
// Every choice depends on sizes and strides alone, and each sum has one order: the same bits at every run and on
// every card.
//
// Counted for float32:
//   n x n x n: 2 n^3 flops, 12 n^2 bytes at least; a 128-wide tile reads each operand n / 128 times, n^3 / 16
//     bytes: 32 flops a byte, which at 3.35 TB/s allows 107 TFLOP/s even if no read hits the second-level
//     cache. So an H100's 67 TFLOP/s of float32 bound it: n = 1024 32 us, n = 4096 2.05 ms.
//   matrix times vector: 2 flops for 4 bytes read: memory, 5.0 us for 2048 x 2048.
// A step of 8 k of the 128 x 128 tile, by its instructions (sm_90), for a warp: 512 multiply-adds, 32 loads of 16 bytes a
// lane, some 30 for an operand that is copied element by element and 20 for one by 16 bytes, 15 for the loop: 610, of which
// 84 % multiply. Shared memory is busy for half of that time. 128 blocks for n = 1024, in two parts of k, and 1024 for
// n = 4096: 97 % of the multiprocessors' time, both. Predicted from this: 52 us and 2.85 ms, and 65 us for 262144 x 64 x 64.
// An H200 takes 86 us, 3.34 ms (64 % of the peak) and 76 us; cuBLAS, through PyTorch, 61 us, 2.72 ms and 79 us. An earlier
// form took 100 us, 4.18 ms and 104 us: two barriers a step, 70 % of its instructions multiplied, and shared memory was as
// busy as they.
#include <cstdint>
#include <utility>

#include "core/ops/contract.h"
#include "cuda/kernels/matmul.h"
#include "cuda/kernels/parts.h"
#include "cuda/kernels/team.h"
#include "cuda/kernels/tile.h"
#include "cuda/library/products.h"
#include "cuda/runtime/scratch.h"
#include "cuda/runtime/settings.h"

namespace tenon::cuda {
namespace {

// C[i, j] = sum_k A[i, k] B[k, j], with a step for each index. Either side may be the rows. Steps are of 32 bits,
// so that an address costs one multiplication and few registers.
struct Product {
  int m, n, k;
  int a_m, a_k, b_k, b_n, c_m, c_n;
  Loop<3> batch;  // C, A, B
  int k_per_part;
  int64_t first_item;  // of the launch, in the batch
};

// How the copies of an operand's piece run.
enum class Along { k, side, side_by_16_bytes };
struct Copies {
  Along a, b;
};

// One thread's share of the copies of an operand: piece[k][i] = x[(first + i) side_step + (k_begin + k) k_step], zero
// beyond the edges. Which elements these are is worked out once; from step to step they move on by kK along k.
template <class Tile, int kSide, int kPitch, class T>
struct OperandCopies {
  Along along;
  int side_step, k_step;
  const T*
      from;  // the first element; the others lie at fixed distances from it, as their places in the piece do
  int to;
  int side_left, k_left;  // from the first element on

  static constexpr int kPack = 16 / sizeof(T);

  __device__ OperandCopies(Along how, const T* x, int first, int extent, int side_step_, int k_begin,
                           int k_end, int k_step_, int thread)
      : along(how), side_step(side_step_), k_step(k_step_) {
    const int together = along == Along::side_by_16_bytes ? kPack : 1;
    const int i = along == Along::k ? thread / Tile::kK : thread % (kSide / together) * together;
    const int k = along == Along::k ? thread % Tile::kK : thread / (kSide / together);
    from = x + int64_t{first + i} * side_step + int64_t{k_begin + k} * k_step;
    to = k * kPitch + i;
    side_left = extent - first - i;
    k_left = k_end - k_begin - k;
  }

  // `kTogether` elements a copy; neighbouring threads copy neighbours along k or the side.
  template <bool kAlongK, int kTogether>
  __device__ void copy(T* piece, int thread) const {
    using Several = Neighbours<T, kTogether>;
    constexpr int kAcross = kAlongK ? Tile::kK : kSide / kTogether, kItems = kSide / kTogether * Tile::kK;
    static_assert(kAcross % Tile::kThreads == 0 || Tile::kThreads % kAcross == 0);
    TENON_UNROLL
    for (int item = 0; item < kItems; item += Tile::kThreads) {
      const int i = kAlongK ? item / kAcross : item % kAcross * kTogether;
      const int k = kAlongK ? item % kAcross : item / kAcross;
      if (item + Tile::kThreads > kItems && thread >= kItems - item) return;
      copy_async(reinterpret_cast<Several*>(piece + to + k * kPitch + i),
                 reinterpret_cast<const Several*>(from + int64_t{i} * side_step + int64_t{k} * k_step),
                 i < side_left && k < k_left);
    }
  }

  __device__ void load(T* piece, int thread) {
    if (along == Along::k) {
      copy<true, 1>(piece, thread);
    } else if (along == Along::side) {
      copy<false, 1>(piece, thread);
    } else {
      copy<false, kPack>(piece, thread);
    }
    from += int64_t{k_step} * Tile::kK;
    k_left -= Tile::kK;
  }
};

template <class Tile, class T>
struct MatmulPieces {
  OperandCopies<Tile, Tile::kM, Tile::kPitchA, T> a;
  OperandCopies<Tile, Tile::kN, Tile::kPitchB, T> b;
  int thread;

  __device__ void prepare(int) const {}
  __device__ void load(int, T* a_piece, T* b_piece) {
    a.load(a_piece, thread);
    b.load(b_piece, thread);
  }
};

// Writes a thread's part of the tile, kDown rows or kAcross columns together where these are neighbours in C. `row` and
// `column` are the tile's first.
template <int kDown, int kAcross, class Sum, class T>
__device__ void store(const Sum& sum, T* c, int c_m, int c_n, int m, int n, int row, int column, int thread) {
  static_assert(kDown == 1 || kAcross == 1);
  using Several = Neighbours<T, kDown * kAcross>;
  const bool neighbours = (kDown > 1 ? c_m : c_n) == 1;
  TENON_UNROLL
  for (int i = 0; i < Sum::kRows; i += kDown) {
    TENON_UNROLL
    for (int j = 0; j < Sum::kColumns; j += kAcross) {
      const int r = row + Sum::row(thread, i), s = column + Sum::column(thread, j);
      if (r >= m || s >= n) continue;
      T* const at = c + int64_t{r} * c_m + int64_t{s} * c_n;
      Several several;
      TENON_UNROLL
      for (int q = 0; q < kDown * kAcross; ++q)
        several.v[q] = kDown > 1 ? sum.value(i + q, j) : sum.value(i, j + q);
      if (neighbours && r + kDown <= m && s + kAcross <= n &&
          reinterpret_cast<uintptr_t>(at) % alignof(Several) == 0) {
        *reinterpret_cast<Several*>(at) = several;
        continue;
      }
      TENON_UNROLL
      for (int q = 0; q < kDown * kAcross; ++q)
        if (kDown > 1 ? r + q < m : s + q < n) at[int64_t{q} * (kDown > 1 ? c_m : c_n)] = several.v[q];
    }
  }
}

// Blocks: x a tile, rows running fastest; y a part of k; z items of the batch. `partial` (or null) takes the
// parts, each as [item][m][n].
template <class Tile, class Sum, class T>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    matmul_kernel(Product p, Copies copies, T* __restrict__ c, T* __restrict__ partial,
                  const T* __restrict__ a, const T* __restrict__ b) {
  TENON_SHARED(T, a_pieces, Tile::template kStages<T> * Tile::kPieceA);
  TENON_SHARED(T, b_pieces, Tile::template kStages<T> * Tile::kPieceB);
  const int thread = static_cast<int>(threadIdx.x);
  const int rows = (p.m + Tile::kM - 1) / Tile::kM;
  const int row = static_cast<int>(blockIdx.x) % rows * Tile::kM;
  const int column = static_cast<int>(blockIdx.x) / rows * Tile::kN;
  const int k_begin = static_cast<int>(blockIdx.y) * p.k_per_part;
  const int k_end = p.k - k_begin < p.k_per_part ? p.k : k_begin + p.k_per_part;

  const int64_t item = p.first_item + blockIdx.z;
  int64_t offset[3];
  p.batch.offsets_of(item, offset);
  MatmulPieces<Tile, T> pieces{{copies.a, a + offset[1], row, p.m, p.a_m, k_begin, k_end, p.a_k, thread},
                               {copies.b, b + offset[2], column, p.n, p.b_n, k_begin, k_end, p.b_k, thread},
                               thread};
  Sum sum;
  multiply_pieces<Tile>((k_end - k_begin + Tile::kK - 1) / Tile::kK, a_pieces, b_pieces, thread, pieces, sum);
  T* to = c + offset[0];
  int c_m = p.c_m, c_n = p.c_n;
  if (partial != nullptr) {
    to = partial + (blockIdx.y * p.batch.numel + item) * p.m * p.n;
    c_m = p.n, c_n = 1;
  }
  if (c_m == 1) return store<Sum::kRowsTogether, 1>(sum, to, c_m, c_n, p.m, p.n, row, column, thread);
  store<1, Sum::kColumnsTogether>(sum, to, c_m, c_n, p.m, p.n, row, column, thread);
}

// Where element i of a part, as [item][m][n], belongs in C.
struct ProductPlace {
  int m, n;
  int c_m, c_n;
  Loop<3> batch;
  __device__ int64_t operator()(int64_t i) const {
    int64_t offset[3];
    batch.offsets_of(i / n / m, offset);
    return offset[0] + i / n % m * c_m + i % n * c_n;
  }
};

// One row, B with stride 1 along k: a team of lanes for each element of C.
template <class T>
__global__ void __launch_bounds__(kTeamThreads)
    dot_kernel(Product p, T* c, const T* __restrict__ a, const T* __restrict__ b) {
  const int64_t column = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  const int64_t item = p.first_item + blockIdx.z;
  int64_t offset[3];
  p.batch.offsets_of(item, offset);
  T sum = T(0);
  if (column < p.n)
    for (int k = static_cast<int>(threadIdx.x); k < p.k; k += static_cast<int>(blockDim.x))
      sum = math::fma(a[offset[1] + int64_t{k} * p.a_k], b[offset[2] + column * p.b_n + k], sum);
  sum = across_team(sum, Plus());
  if (column < p.n && threadIdx.x == 0) c[offset[0] + column * p.c_n] = sum;
}

// One row, B with stride 1 along the row: a lane for each element of C, eight warps of a block (and the parts,
// blockIdx.y) share k.
constexpr int kSharers = 8;
template <class T>
__global__ void __launch_bounds__(32 * kSharers)
    row_kernel(Product p, T* c, T* partial, const T* __restrict__ a, const T* __restrict__ b) {
  TENON_SHARED(T, sums, 32 * kSharers);
  const int lane = static_cast<int>(threadIdx.x), sharer = static_cast<int>(threadIdx.y);
  const int64_t column = int64_t{blockIdx.x} * 32 + lane;
  const int k_begin = static_cast<int>(blockIdx.y) * p.k_per_part;
  const int k_end = p.k - k_begin < p.k_per_part ? p.k : k_begin + p.k_per_part;
  const int64_t item = p.first_item + blockIdx.z;
  int64_t offset[3];
  p.batch.offsets_of(item, offset);
  T sum = T(0);
  if (column < p.n)
    for (int k = k_begin + sharer; k < k_end; k += kSharers)
      sum = math::fma(a[offset[1] + int64_t{k} * p.a_k], b[offset[2] + int64_t{k} * p.b_k + column], sum);
  sums[sharer * 32 + lane] = sum;
  __syncthreads();
  if (sharer == 0 && column < p.n) {
    for (int s = 1; s < kSharers; ++s) sum += sums[s * 32 + lane];
    if (partial != nullptr) {
      partial[(blockIdx.y * p.batch.numel + item) * p.n + column] = sum;
    } else {
      c[offset[0] + column * p.c_n] = sum;
    }
  }
}

// Launches take up to 65535 items each: calls f(p, items) for each launch.
template <class F>
void over_batch(Product p, F&& f) {
  constexpr int64_t kMost = 65535;
  for (p.first_item = 0; p.first_item < p.batch.numel; p.first_item += kMost)
    f(p, static_cast<unsigned>(std::min(kMost, p.batch.numel - p.first_item)));
}

// Calls f(partial, parts) with memory for the parts (null if there is one), then joins them.
template <class T, class F>
void in_parts(Product& p, int64_t parts, int64_t step, T* c, F&& f) {
  p.k_per_part = static_cast<int>(divide_up(divide_up(p.k, parts), step) * step);
  parts = divide_up(p.k, p.k_per_part);
  if (parts == 1) return f(static_cast<T*>(nullptr), 1u);
  const int64_t count = p.batch.numel * p.m * p.n;
  const Scratch partial(static_cast<size_t>(parts * count) * sizeof(T));
  f(partial.as<T>(), static_cast<unsigned>(parts));
  join_parts(c, partial.as<T>(), count, parts, ProductPlace{p.m, p.n, p.c_m, p.c_n, p.batch});
}

template <class T>
void run_row(Product& p, T* c, const T* a, const T* b) {
  if (p.b_k == 1) {
    const Dim3 block = team_shape(p.k, 8);
    return over_batch(p, [&](const Product& some, unsigned items) {
      launch("matmul_dot", dot_kernel<T>, {team_blocks("matmul", p.n, block), 1, items}, block, 0, some, c, a,
             b);
    });
  }
  constexpr int64_t kThreads = 32 * kSharers, kLeast = 128;
  const int64_t blocks = divide_up(p.n, 32);
  in_parts(p, parts_of(blocks * p.batch.numel, kThreads, p.k, kLeast), kSharers, c,
           [&](T* partial, unsigned parts) {
             over_batch(p, [&](const Product& some, unsigned items) {
               launch("matmul_row", row_kernel<T>, {static_cast<unsigned>(blocks), parts, items},
                      {32, kSharers}, 0, some, c, partial, a, b);
             });
           });
}

// 16 bytes at a time if no such piece of the operand crosses an edge or lies askew.
template <class T>
Along along(const T* x, int side_step, int side, int k_step, const Loop<3>& batch, int operand) {
  if (k_step == 1 && side_step != 1) return Along::k;
  constexpr int kCount = 16 / sizeof(T);
  bool even = side_step == 1 && side % kCount == 0 && k_step % kCount == 0 &&
              reinterpret_cast<uintptr_t>(x) % 16 == 0;
  for (int i = 0; i < batch.rank; ++i) even = even && batch.stride[operand][i] % kCount == 0;
  return even ? Along::side_by_16_bytes : Along::side;
}

template <class T>
void run_tiles(Product& p, T* c, const T* a, const T* b) {
  constexpr int64_t kLeast = 256;  // of k in a part
  const Copies copies{along(a, p.a_m, p.m, p.a_k, p.batch, 1), along(b, p.b_n, p.n, p.b_k, p.batch, 2)};
  const ProductSizes sizes{p.m, p.n, p.k, p.batch.numel, kLeast};
  with_tile<T>(sizes, settings().tf32, [&](auto tile, auto sum) {
    using Shape = decltype(tile);
    using Sum = typename decltype(sum)::type;
    const int64_t tiles = tiles_of<Shape>(p.m, p.n);
    TENON_CHECK(tiles <= 0x7fffffff, "matmul: a result of ", p.m, " x ", p.n, " is too large for one launch");
    in_parts(p, sizes.parts<Shape>(), Shape::kK, c, [&](T* partial, unsigned parts) {
      over_batch(p, [&](const Product& some, unsigned items) {
        launch("matmul", matmul_kernel<Shape, Sum, T>, {static_cast<unsigned>(tiles), parts, items},
               {Shape::kThreads}, 0, some, copies, c, partial, a, b);
      });
    });
  });
}

int narrow(int64_t value) {
  TENON_CHECK(value <= 0x7fffffff, "matmul: the CUDA kernel expects extents and steps below 2^31, got ",
              value);
  return static_cast<int>(value);
}

// C^T = B^T A^T.
Product transposed(const Product& p) {
  Product t = p;
  t.m = p.n, t.n = p.m;
  t.a_m = p.b_n, t.a_k = p.b_k, t.b_k = p.a_k, t.b_n = p.a_m;
  t.c_m = p.c_n, t.c_n = p.c_m;
  for (int i = 0; i < p.batch.rank; ++i) std::swap(t.batch.stride[1][i], t.batch.stride[2][i]);
  return t;
}

}  // namespace

void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b) {
  if (settings().matmul_by_cublas) return library::matmul(plan, dtype, c, a, b);
  visit_floating("matmul", dtype, [&](auto tag) {
    using T = decltype(tag);
    Product p{};
    p.m = narrow(plan.m), p.n = narrow(plan.n), p.k = p.k_per_part = narrow(plan.k);
    p.a_m = narrow(plan.a_row), p.a_k = narrow(plan.a_column);
    p.b_k = narrow(plan.b_row), p.b_n = narrow(plan.b_column);
    p.c_m = narrow(plan.c_row), p.c_n = 1;
    p.batch = plan.batch;
    const T *first = static_cast<const T*>(a), *second = static_cast<const T*>(b);
    if (p.n < p.m && p.n <= 64) p = transposed(p), std::swap(first, second);
    if (p.m == 1) return run_row(p, static_cast<T*>(c), first, second);
    run_tiles(p, static_cast<T*>(c), first, second);
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(matmul)
