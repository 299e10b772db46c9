#include "core/tensor.h"

#include <algorithm>
#include <cstring>

#include "core/ops/elementwise.h"
#include "core/pool.h"
#include "core/storage.h"
#include "cuda/runtime/device_runtime.h"

namespace tenon {

// ---- making one -------------------------------------------------------------------------------------

Tensor Tensor::empty_strided(const Shape& shape, const Strides& strides, DType dtype, Device device) {
  Tensor out;
  out.numel_ = shape.numel();
  int64_t bytes = 0;
  TENON_CHECK(!__builtin_mul_overflow(out.numel_, static_cast<int64_t>(size_of(dtype)), &bytes),
              "empty: shape ", shape, " is too large");
  out.storage_ = std::allocate_shared<Storage>(PoolAllocator<Storage>(), device, static_cast<size_t>(bytes));
  out.shape_ = shape;
  out.strides_ = strides;
  out.dtype_ = dtype;
  return out;
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  return empty_strided(shape, contiguous_strides(shape), dtype, device);
}

Tensor Tensor::empty_like(const Tensor& like) {
  like.require_defined("empty_like");
  return empty_strided(like.shape_, strides_in_order_of(like.shape_, like.strides_), like.dtype_,
                       like.device());
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) { return full(shape, 0, dtype, device); }
Tensor Tensor::ones(const Shape& shape, DType dtype, Device device) { return full(shape, 1, dtype, device); }

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor out = empty(shape, dtype, device);
  out.fill_(value);
  return out;
}

Tensor Tensor::arange(int64_t n, DType dtype, Device device) {
  TENON_CHECK(n >= 0, "arange: expects a count >= 0, got ", n);
  Tensor out = empty({n}, dtype, device);
  count_into(out);
  return out;
}

Tensor Tensor::scalar(double value, DType dtype, Device device) { return full({}, value, dtype, device); }

template <class T>
Tensor Tensor::from(const std::vector<T>& values, const Shape& shape) {
  TENON_CHECK(shape.numel() == static_cast<int64_t>(values.size()), "from: shape ", shape, " has ",
              shape.numel(), " elements, got ", values.size(), " values");
  Tensor out = empty(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), out.data<T>());
  return out;
}

// ---- what it is -------------------------------------------------------------------------------------

void Tensor::require_defined(const char* what) const { TENON_CHECK(defined(), what, ": undefined tensor"); }

Device Tensor::device() const {
  require_defined("device");
  return storage_->device();
}

uint64_t Tensor::version() const {
  require_defined("version");
  return storage_->version();
}

void Tensor::bump_version(const char* op) const {
  require_defined(op);
  storage_->bump_version(op);
}

const char* Tensor::last_writer() const {
  require_defined("last_writer");
  return storage_->last_writer();
}

bool Tensor::is_contiguous() const {
  int64_t step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (shape_[i] == 1) continue;
    if (strides_[i] != step) return numel_ == 0;
    step *= shape_[i];
  }
  return true;
}

bool Tensor::is_dense() const {
  if (numel_ <= 1) return true;
  // Dense means: sorted by stride, each axis steps over exactly what the inner ones fill.
  Strides dense = strides_in_order_of(shape_, strides_);
  for (int i = 0; i < rank(); ++i)
    if (shape_[i] != 1 && strides_[i] != dense[i]) return false;
  return true;
}

bool Tensor::overlaps_itself() const {
  if (numel_ <= 1) return false;
  // From the innermost axis on, each must step over all that those inside it reach.
  int order[kMaxRank] = {}, count = 0;
  for (int i = 0; i < rank(); ++i) {
    if (shape_[i] == 1) continue;
    int at = count++;
    for (; at > 0 && strides_[order[at - 1]] > strides_[i]; --at) order[at] = order[at - 1];
    order[at] = i;
  }
  int64_t reach = 0;
  for (int i = 0; i < count; ++i) {
    if (strides_[order[i]] <= reach) return true;
    reach += (shape_[order[i]] - 1) * strides_[order[i]];
  }
  return false;
}

// ---- elements ---------------------------------------------------------------------------------------

template <class T>
T* Tensor::data() const {
  require_defined("data");
  TENON_CHECK(dtype_ == dtype_of<T>, "data: tensor is ", dtype_, ", asked for ", dtype_of<T>);
  TENON_CHECK(device().is_cpu(), "data: tensor is on ", device(), "; copy it to the host first");
  return static_cast<T*>(raw());
}

void* Tensor::raw() const {
  require_defined("raw");
  return static_cast<char*>(storage_->data()) + static_cast<size_t>(offset_) * size_of(dtype_);
}

double Tensor::item() const {
  require_defined("item");
  TENON_CHECK(numel_ == 1, "item: expects one element, got shape ", shape_);
  Tensor host = to(Device::cpu());
  return visit_dtype(dtype_, [&](auto tag) { return static_cast<double>(*host.data<decltype(tag)>()); });
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  require_defined("to_vector");
  TENON_CHECK(dtype_ == dtype_of<T>, "to_vector: tensor is ", dtype_, ", asked for ", dtype_of<T>);
  if (is_empty()) return {};
  Tensor host = to(Device::cpu()).contiguous();
  const T* p = host.data<T>();
  return std::vector<T>(p, p + numel_);
}

// ---- views ------------------------------------------------------------------------------------------

Tensor Tensor::permute(const Dims& order) const {
  require_defined("permute");
  TENON_CHECK(order.rank() == rank(), "permute: expects ", rank(), " axes for shape ", shape_, ", got ",
              order);
  Tensor out = *this;
  bool seen[kMaxRank] = {};
  for (int i = 0; i < rank(); ++i) {
    int axis = normalize_axis("permute", order[i], rank());
    TENON_CHECK(!seen[axis], "permute: axis ", axis, " is named twice in ", order);
    seen[axis] = true;
    out.shape_[i] = shape_[axis];
    out.strides_[i] = strides_[axis];
  }
  return out;
}

Tensor Tensor::transpose(int64_t a, int64_t b) const {
  require_defined("transpose");
  int first = normalize_axis("transpose", a, rank());
  int second = normalize_axis("transpose", b, rank());
  Tensor out = *this;
  std::swap(out.shape_[first], out.shape_[second]);
  std::swap(out.strides_[first], out.strides_[second]);
  return out;
}

Tensor Tensor::slice(int64_t axis, int64_t start, int64_t stop, int64_t step) const {
  require_defined("slice");
  int a = normalize_axis("slice", axis, rank());
  TENON_CHECK(0 <= start && start <= stop && stop <= shape_[a] && step >= 1,
              "slice: expects 0 <= start <= stop <= ", shape_[a], " and step >= 1 on axis ", a, " of ",
              shape_, ", got ", start, ":", stop, ":", step);
  Tensor out = *this;
  out.shape_[a] = stop > start ? (stop - start - 1) / step + 1 : 0;
  out.numel_ = out.shape_.numel();
  if (out.shape_[a] > 0) out.offset_ += start * strides_[a];
  if (out.shape_[a] > 1) out.strides_[a] *= step;  // else the step may be huge, and is never taken
  return out;
}

Tensor Tensor::narrow(int64_t axis, int64_t start, int64_t length) const {
  int64_t stop = 0;
  TENON_CHECK(!__builtin_add_overflow(start, length, &stop), "narrow: expects a window of ", shape_, ", got ",
              length, " elements from ", start);
  return slice(axis, start, stop);
}

Tensor Tensor::select(int64_t axis, int64_t index) const {
  require_defined("select");
  int a = normalize_axis("select", axis, rank());
  int64_t i = index < 0 ? index + shape_[a] : index;
  TENON_CHECK(i >= 0 && i < shape_[a], "select: index ", index, " is out of range on axis ", a, " of ",
              shape_);
  return slice(a, i, i + 1).squeeze(a);
}

Tensor Tensor::expand(const Shape& shape) const { return broadcast_to("expand", *this, shape); }

Tensor Tensor::unsqueeze(int64_t axis) const {
  require_defined("unsqueeze");
  int a = normalize_axis("unsqueeze", axis, rank() + 1);
  Tensor out = *this;
  // The stride of an axis of extent 1 is never used to step; a dense-looking one keeps the order of axes
  // readable.
  out.strides_.insert(a, a < rank() ? strides_[a] * shape_[a] : 1);
  out.shape_.insert(a, 1);
  return out;
}

Tensor Tensor::squeeze(int64_t axis) const {
  require_defined("squeeze");
  int a = normalize_axis("squeeze", axis, rank());
  TENON_CHECK(shape_[a] == 1, "squeeze: axis ", a, " of ", shape_, " is not of extent 1");
  Tensor out = *this;
  out.shape_.erase(a);
  out.strides_.erase(a);
  return out;
}

namespace {

// Strides that show `shape` in the memory of (old_shape, old_strides) without moving anything, if there are
// any: runs of old axes that lie gap-free one in another may be cut anew.
bool view_strides(const Shape& old_shape, const Strides& old_strides, const Shape& shape, Strides& strides) {
  Dims extents, steps;  // axes of extent 1 say nothing about memory
  for (int i = 0; i < old_shape.rank(); ++i) {
    if (old_shape[i] == 1) continue;
    extents.push_back(old_shape[i]);
    steps.push_back(old_strides[i]);
  }
  strides = contiguous_strides(shape);
  int next = shape.rank() - 1;
  for (int axis = extents.rank() - 1; axis >= 0; --axis) {
    int64_t step = steps[axis];
    int64_t run = extents[axis];
    for (; axis > 0 && steps[axis - 1] == extents[axis] * steps[axis]; --axis) run *= extents[axis - 1];
    int64_t filled = 1;
    while (next >= 0 && filled < run) {
      strides[next] = step * filled;
      filled *= shape[next--];
    }
    if (filled != run) return false;
  }
  return true;
}

}  // namespace

Tensor Tensor::reshape(const Shape& shape) const {
  require_defined("reshape");
  Shape target = shape;
  int64_t known = 1;
  int open = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] != -1) {
      TENON_CHECK(!__builtin_mul_overflow(known, shape[i], &known), "reshape: shape ", shape,
                  ": too many elements");
      continue;
    }
    TENON_CHECK(open < 0, "reshape: at most one extent may be -1, got ", shape);
    open = i;
  }
  if (open >= 0) target[open] = known == 0 ? 0 : numel_ / known;
  TENON_CHECK(target.numel() == numel_, "reshape: shape ", shape_, " has ", numel_, " elements, asked for ",
              shape);
  Strides strides;
  if (is_contiguous()) {
    strides = contiguous_strides(target);
  } else if (!view_strides(shape_, strides_, target, strides)) {
    return contiguous().reshape(target);
  }
  Tensor out = *this;
  out.shape_ = target;
  out.strides_ = strides;
  return out;
}

Tensor Tensor::flatten(int64_t first, int64_t last) const {
  require_defined("flatten");
  if (rank() == 0) return reshape({1});
  int a = normalize_axis("flatten", first, rank());
  int b = normalize_axis("flatten", last, rank());
  TENON_CHECK(a <= b, "flatten: expects first <= last, got ", first, " and ", last);
  Shape shape;
  for (int i = 0; i < rank(); ++i) {
    if (i > a && i <= b) {
      shape[a] *= shape_[i];
    } else {
      shape.push_back(shape_[i]);
    }
  }
  return reshape(shape);
}

Tensor Tensor::as_strided(const Shape& shape, const Strides& strides, int64_t offset) const {
  require_defined("as_strided");
  TENON_CHECK(shape.rank() == strides.rank(), "as_strided: shape ", shape, " and strides ", strides,
              " differ in rank");
  Tensor out = *this;
  out.shape_ = shape;
  out.strides_ = strides;
  out.offset_ = offset;
  out.numel_ = shape.numel();
  int64_t last = offset, span = 0;
  bool overflows = false;
  for (int i = 0; i < shape.rank(); ++i) {
    TENON_CHECK(strides[i] >= 0, "as_strided: strides are not negative, got ", strides);
    overflows |= __builtin_mul_overflow(shape[i] - 1, strides[i], &span);
    overflows |= __builtin_add_overflow(last, span, &last);
  }
  int64_t capacity = static_cast<int64_t>(storage_->bytes() / size_of(dtype_));
  TENON_CHECK(out.numel_ == 0 || (!overflows && offset >= 0 && last < capacity), "as_strided: shape ", shape,
              ", strides ", strides, ", offset ", offset, " reach outside a storage of ", capacity,
              " elements");
  return out;
}

Tensor broadcast_to(const char* op, const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  int extra = shape.rank() - x.rank();
  TENON_CHECK(extra >= 0, op, ": shape ", x.shape(), " does not broadcast to ", shape);
  Strides strides = Dims::filled(shape.rank(), 0);
  for (int i = 0; i < x.rank(); ++i) {
    TENON_CHECK(x.shape()[i] == shape[i + extra] || x.shape()[i] == 1, op, ": shape ", x.shape(),
                " does not broadcast to ", shape);
    strides[i + extra] = x.shape()[i] == shape[i + extra] ? x.strides()[i] : 0;
  }
  return x.as_strided(shape, strides, x.offset());
}

// ---- copies -----------------------------------------------------------------------------------------

Tensor Tensor::contiguous() const {
  require_defined("contiguous");
  if (is_contiguous()) return *this;
  Tensor out = empty(shape_, dtype_, device());
  copy_into("contiguous", *this, out);
  return out;
}

Tensor Tensor::clone() const {
  Tensor out = empty_like(*this);
  copy_into("clone", *this, out);
  return out;
}

Tensor Tensor::to(Device target) const {
  require_defined("to");
  if (device() == target) return *this;
  // What crosses is one dense block; views are packed on their own side first.
  Tensor source = is_dense() ? *this : contiguous();
  Tensor out = empty_strided(shape_, strides_in_order_of(shape_, source.strides_), dtype_, target);
  size_t bytes = static_cast<size_t>(numel_) * size_of(dtype_);
  if (bytes == 0) return out;
  if (target.is_cuda()) {
    cuda::copy_to_device(out.raw(), source.raw(), bytes);
  } else {
    cuda::copy_to_host(out.raw(), source.raw(), bytes);
  }
  return out;
}

Tensor Tensor::to(DType dtype) const {
  require_defined("to");
  if (dtype_ == dtype) return *this;
  Tensor out = empty_strided(shape_, strides_in_order_of(shape_, strides_), dtype, device());
  copy_into("to", *this, out);
  return out;
}

const Tensor& Tensor::fill_(double value) const {
  require_defined("fill_");
  fill_into(*this, value);
  bump_version("fill_");
  return *this;
}

const Tensor& Tensor::copy_(const Tensor& source) const {
  require_defined("copy_");
  source.require_defined("copy_");
  TENON_CHECK(!overlaps_itself(),
              "copy_: the target is a broadcast or overlapping view; its elements share memory");
  Tensor from = source.device() == device() ? source : source.to(device());
  if (from.shares_storage_with(*this)) from = from.clone();  // the two may overlap
  copy_into("copy_", broadcast_to("copy_", from, shape_), *this);
  bump_version("copy_");
  return *this;
}

std::string Tensor::str() const {
  if (!defined()) return "undefined";
  return concat(dtype_, " ", shape_, " on ", device());
}

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
  TENON_CHECK(a.dtype() == b.dtype(), op, ": expects one dtype, got ", a.str(), " and ", b.str());
}

void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
  TENON_CHECK(a.device() == b.device(), op, ": expects one device, got ", a.str(), " and ", b.str());
}

#define TENON_INSTANTIATE(T)                                            \
  template Tensor Tensor::from<T>(const std::vector<T>&, const Shape&); \
  template T* Tensor::data<T>() const;                                  \
  template std::vector<T> Tensor::to_vector<T>() const;
TENON_INSTANTIATE(float)
TENON_INSTANTIATE(double)
TENON_INSTANTIATE(int64_t)
TENON_INSTANTIATE(int32_t)
TENON_INSTANTIATE(uint8_t)
#undef TENON_INSTANTIATE

}  // namespace tenon
