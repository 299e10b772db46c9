#include "core/sparse.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <numeric>
#include <vector>

namespace tenon {
namespace {

using Integers = std::vector<int32_t>;

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

Integers to_host(const Tensor& x) { return x.to(Device::cpu()).to(int32).to_vector<int32_t>(); }

// Lists by falling length, equal ones by number.
Integers by_length(const Integers& offsets) {
  Integers order(offsets.size() - 1);
  std::iota(order.begin(), order.end(), 0);
  auto length = [&](int32_t i) {
    return offsets[static_cast<size_t>(i) + 1] - offsets[static_cast<size_t>(i)];
  };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return length(a) > length(b); });
  return order;
}

SparseIndex make_index(const Integers& offsets, const Integers& indices, const Integers* positions,
                       Device device) {
  return {Tensor::from(offsets).to(device), Tensor::from(indices).to(device),
          positions ? Tensor::from(*positions).to(device) : Tensor(),
          Tensor::from(by_length(offsets)).to(device)};
}

void check_block_rows(int64_t block_rows) {
  TENON_CHECK(block_rows == 1 || block_rows == 4 || block_rows == 8 || block_rows == 16,
              "SparsePattern: expects blocks of 1, 4, 8 or 16 rows, got ", block_rows);
}

void check_extents(int64_t rows, int64_t columns) {
  TENON_CHECK(rows >= 0 && columns >= 0 && rows < kMost && columns < kMost,
              "SparsePattern: expects extents in [0, 2^31), got ", rows, " x ", columns);
}

// An int32 or int64 list; the message names it.
Tensor checked_list(const char* name, const Tensor& x) {
  TENON_CHECK(x.defined(), "SparsePattern: undefined ", name);
  TENON_CHECK(x.rank() == 1 && (x.dtype() == int32 || x.dtype() == int64), "SparsePattern: ", name,
              " expect int32 or int64 of rank 1, got ", x.str());
  TENON_CHECK(x.numel() <= kMost, "SparsePattern: ", x.numel(), " ", name, " are too many");
  return x.to(Device::cpu()).to(int64);
}

void check_offsets(const std::vector<int64_t>& offsets, int64_t lists, int64_t entries) {
  TENON_CHECK(static_cast<int64_t>(offsets.size()) == lists + 1, "SparsePattern: expects ", lists + 1,
              " row offsets, got ", offsets.size());
  TENON_CHECK(offsets.front() == 0 && offsets.back() == entries,
              "SparsePattern: row offsets expect to run from 0 to ", entries, ", got ", offsets.front(),
              " to ", offsets.back());
  for (size_t i = 1; i < offsets.size(); ++i)
    TENON_CHECK(offsets[i] >= offsets[i - 1], "SparsePattern: row offsets fall from ", offsets[i - 1], " to ",
                offsets[i], " behind row ", i - 1);
}

void check_indices(const std::vector<int64_t>& offsets, const std::vector<int64_t>& indices,
                   int64_t columns) {
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    int64_t before = -1;
    for (int64_t p = offsets[i]; p < offsets[i + 1]; ++p) {
      const int64_t index = indices[static_cast<size_t>(p)];
      TENON_CHECK(index >= 0 && index < columns, "SparsePattern: column index ", index, " of row ", i,
                  " is outside [0, ", columns, ")");
      TENON_CHECK(index > before, "SparsePattern: column indices of row ", i,
                  " expect to ascend strictly, got ", before, " before ", index);
      before = index;
    }
  }
}

Integers narrowed(const std::vector<int64_t>& x) { return Integers(x.begin(), x.end()); }

}  // namespace

struct SparsePattern::State {
  int64_t rows, columns, block_rows;
  SparseIndex by_rows;
  std::once_flag columns_made;
  SparseIndex by_columns;

  // Counting sort of the entries by column.
  void make_by_columns() {
    const Integers row_offsets = to_host(by_rows.offsets), columns_of = to_host(by_rows.indices);
    Integers offsets(static_cast<size_t>(columns) + 1, 0);
    for (int32_t c : columns_of) ++offsets[static_cast<size_t>(c) + 1];
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    Integers next(offsets.begin(), offsets.end() - 1), rows_of(columns_of.size()),
        positions(columns_of.size());
    for (size_t i = 0; i + 1 < row_offsets.size(); ++i)
      for (int32_t p = row_offsets[i]; p < row_offsets[i + 1]; ++p) {
        const auto to = static_cast<size_t>(next[static_cast<size_t>(columns_of[static_cast<size_t>(p)])]++);
        rows_of[to] = static_cast<int32_t>(i);
        positions[to] = p;
      }
    by_columns = make_index(offsets, rows_of, &positions, by_rows.offsets.device());
  }
};

SparsePattern::SparsePattern(int64_t rows, int64_t columns, const Tensor& row_offsets,
                             const Tensor& column_indices, int64_t block_rows) {
  check_extents(rows, columns);
  check_block_rows(block_rows);
  const auto offsets = checked_list("row offsets", row_offsets).to_vector<int64_t>();
  const auto indices = checked_list("column indices", column_indices).to_vector<int64_t>();
  check_same_device("SparsePattern", row_offsets, column_indices);
  check_offsets(offsets, (rows + block_rows - 1) / block_rows, static_cast<int64_t>(indices.size()));
  check_indices(offsets, indices, columns);
  state_ = std::make_shared<State>();
  state_->rows = rows, state_->columns = columns, state_->block_rows = block_rows;
  state_->by_rows = make_index(narrowed(offsets), narrowed(indices), nullptr, row_offsets.device());
}

SparsePattern SparsePattern::from_mask(const Tensor& mask, int64_t block_rows) {
  TENON_CHECK(mask.defined(), "SparsePattern: undefined mask");
  TENON_CHECK(mask.rank() == 2, "SparsePattern: expects a mask [rows, columns], got ", mask.str());
  check_extents(mask.size(0), mask.size(1));
  check_block_rows(block_rows);
  const int64_t rows = mask.size(0), columns = mask.size(1);
  const Tensor host = mask.to(Device::cpu()).contiguous();
  Integers offsets = {0}, indices;
  visit_dtype(mask.dtype(), [&](auto tag) {
    using T = decltype(tag);
    const T* at = host.data<T>();
    for (int64_t top = 0; top < rows; top += block_rows) {
      const int64_t bottom = std::min(rows, top + block_rows);
      for (int64_t c = 0; c < columns; ++c) {
        bool any = false;
        for (int64_t r = top; r < bottom; ++r) any |= at[r * columns + c] != T(0);
        if (any) indices.push_back(static_cast<int32_t>(c));
      }
      TENON_CHECK(static_cast<int64_t>(indices.size()) < kMost, "SparsePattern: too many entries in ",
                  mask.str());
      offsets.push_back(static_cast<int32_t>(indices.size()));
    }
  });
  SparsePattern pattern;
  pattern.state_ = std::make_shared<State>();
  pattern.state_->rows = rows, pattern.state_->columns = columns, pattern.state_->block_rows = block_rows;
  pattern.state_->by_rows = make_index(offsets, indices, nullptr, mask.device());
  return pattern;
}

const SparsePattern::State& SparsePattern::state(const char* what) const {
  TENON_CHECK(defined(), "SparsePattern: ", what, " of an undefined pattern");
  return *state_;
}

int64_t SparsePattern::rows() const { return state("rows").rows; }
int64_t SparsePattern::columns() const { return state("columns").columns; }
int64_t SparsePattern::block_rows() const { return state("block_rows").block_rows; }
int64_t SparsePattern::entries() const { return state("entries").by_rows.indices.numel(); }
int64_t SparsePattern::lists() const { return state("lists").by_rows.offsets.numel() - 1; }
Device SparsePattern::device() const { return state("device").by_rows.offsets.device(); }
const SparseIndex& SparsePattern::by_rows() const { return state("by_rows").by_rows; }

Shape SparsePattern::values_shape() const {
  return block_rows() == 1 ? Shape{entries()} : Shape{entries(), block_rows()};
}

const SparseIndex& SparsePattern::by_columns() const {
  state("by_columns");
  std::call_once(state_->columns_made, [this] { state_->make_by_columns(); });
  return state_->by_columns;
}

SparsePattern SparsePattern::to(Device device) const {
  if (state("to").by_rows.offsets.device() == device) return *this;
  SparsePattern moved;
  moved.state_ = std::make_shared<State>();
  moved.state_->rows = rows(), moved.state_->columns = columns(), moved.state_->block_rows = block_rows();
  const SparseIndex& from = by_rows();
  moved.state_->by_rows = {from.offsets.to(device), from.indices.to(device), {}, from.order.to(device)};
  return moved;
}

namespace {

// Calls `f(place of an element among the values, place in the row-major matrix)` for all that both have.
template <class F>
void for_each_element(const SparsePattern& pattern, F&& f) {
  const Integers offsets = to_host(pattern.by_rows().offsets), columns = to_host(pattern.by_rows().indices);
  const int64_t block = pattern.block_rows();
  for (int64_t i = 0; i < pattern.lists(); ++i)
    for (int64_t p = offsets[static_cast<size_t>(i)]; p < offsets[static_cast<size_t>(i) + 1]; ++p)
      for (int64_t r = 0; r < std::min(block, pattern.rows() - i * block); ++r)
        f(p * block + r, (i * block + r) * pattern.columns() + columns[static_cast<size_t>(p)]);
}

}  // namespace

Tensor SparsePattern::gather(const Tensor& dense) const {
  TENON_CHECK(dense.defined(), "SparsePattern: gather: undefined tensor");
  TENON_CHECK((dense.shape() == Shape{rows(), columns()}), "SparsePattern: gather: expects [", rows(), ", ",
              columns(), "], got ", dense.str());
  const Tensor from = dense.to(Device::cpu()).contiguous();
  Tensor values = Tensor::zeros(values_shape(), dense.dtype());
  visit_dtype(dense.dtype(), [&](auto tag) {
    using T = decltype(tag);
    T* const to = values.data<T>();
    for_each_element(*this, [&](int64_t value, int64_t place) { to[value] = from.data<T>()[place]; });
  });
  return values.to(dense.device());
}

Tensor SparsePattern::scatter(const Tensor& values) const {
  TENON_CHECK(values.defined(), "SparsePattern: scatter: undefined tensor");
  TENON_CHECK(values.shape() == values_shape(), "SparsePattern: scatter: expects values ", values_shape(),
              ", got ", values.str());
  const Tensor from = values.to(Device::cpu()).contiguous();
  Tensor dense = Tensor::zeros({rows(), columns()}, values.dtype());
  visit_dtype(values.dtype(), [&](auto tag) {
    using T = decltype(tag);
    T* const to = dense.data<T>();
    for_each_element(*this, [&](int64_t value, int64_t place) { to[place] = from.data<T>()[value]; });
  });
  return dense.to(values.device());
}

Tensor SparsePattern::places() const {
  const Integers offsets = to_host(by_rows().offsets), indices = to_host(by_rows().indices);
  Tensor places = Tensor::empty(values_shape(), int64);
  int64_t* to = places.data<int64_t>();
  for (int64_t i = 0; i < lists(); ++i)
    for (int64_t p = offsets[static_cast<size_t>(i)]; p < offsets[static_cast<size_t>(i) + 1]; ++p)
      for (int64_t r = 0; r < block_rows(); ++r)
        *to++ = (i * block_rows() + r) * columns() + indices[static_cast<size_t>(p)];
  return places;
}

std::string SparsePattern::str() const {
  return concat(block_rows(), "x1 blocks, ", entries(), " in ", rows(), " x ", columns());
}

// ---- matrices ---------------------------------------------------------------------------------------

namespace {

void check_matrix(const char* type, const SparsePattern& pattern, const Tensor& values) {
  TENON_CHECK(pattern.defined() && values.defined(), type, ": undefined pattern or values");
  TENON_CHECK(values.shape() == pattern.values_shape() && is_floating(values.dtype()), type,
              ": expects float32 or float64 values ", pattern.values_shape(), ", got ", values.str());
  TENON_CHECK(values.device() == pattern.device(), type, ": values on ", values.device(), ", pattern on ",
              pattern.device());
}

void check_mask(const char* type, const Tensor& dense, const Tensor& mask) {
  TENON_CHECK(dense.defined() && mask.defined(), type, ": undefined tensor");
  TENON_CHECK(dense.shape() == mask.shape(), type, ": expects a mask of shape ", dense.shape(), ", got ",
              mask.shape());
}

}  // namespace

CsrMatrix::CsrMatrix(SparsePattern matrix_pattern, Tensor matrix_values)
    : SparseMatrix{std::move(matrix_pattern), std::move(matrix_values)} {
  check_matrix("CsrMatrix", pattern, values);
  TENON_CHECK(pattern.block_rows() == 1, "CsrMatrix: expects blocks of one row, got ", pattern.str());
}

CsrMatrix CsrMatrix::from_dense(const Tensor& dense) { return from_mask(dense, dense); }

CsrMatrix CsrMatrix::from_mask(const Tensor& dense, const Tensor& mask) {
  check_mask("CsrMatrix", dense, mask);
  SparsePattern pattern = SparsePattern::from_mask(mask.to(dense.device()));
  return {pattern, pattern.gather(dense)};
}

BlockSparseMatrix::BlockSparseMatrix(SparsePattern matrix_pattern, Tensor matrix_values)
    : SparseMatrix{std::move(matrix_pattern), std::move(matrix_values)} {
  check_matrix("BlockSparseMatrix", pattern, values);
  TENON_CHECK(pattern.block_rows() > 1, "BlockSparseMatrix: expects blocks of 4, 8 or 16 rows, got ",
              pattern.str());
}

BlockSparseMatrix BlockSparseMatrix::from_dense(const Tensor& dense, int64_t block_rows) {
  return from_mask(dense, dense, block_rows);
}

BlockSparseMatrix BlockSparseMatrix::from_mask(const Tensor& dense, const Tensor& mask, int64_t block_rows) {
  check_mask("BlockSparseMatrix", dense, mask);
  SparsePattern pattern = SparsePattern::from_mask(mask.to(dense.device()), block_rows);
  return {pattern, pattern.gather(dense)};
}

}  // namespace tenon
