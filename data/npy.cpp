// .npy: magic, version, length of the header, a Python dictionary as text, then the elements.
#include "data/npy.h"

#include <algorithm>
#include <optional>

namespace tenon {
namespace {

struct NpyType {
  std::string_view descr;
  DType dtype;
};
constexpr NpyType kTypes[] = {
    {"<f4", float32}, {"<f8", float64}, {"<i8", int64}, {"<i4", int32}, {"|u1", uint8}};

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint32_t kMaxHeaderBytes = 1 << 16;  // NumPy's own limit for files that are not trusted is 10,000

struct Header {
  DType dtype = float32;
  bool fortran_order = false;
  Shape shape;
};

// Reads the header's dictionary: exactly the three keys, once each, in any order, as NumPy writes them.
class HeaderParser {
 public:
  HeaderParser(const FileReader& in, std::string_view text, uint64_t start)
      : in_(in), text_(text), start_(start) {}

  Header parse() {
    std::optional<DType> dtype;
    std::optional<bool> fortran_order;
    std::optional<Shape> shape;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !dtype) {
        dtype = parse_dtype();
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = parse_bool();
      } else if (key == "shape" && !shape) {
        shape = parse_shape();
      } else {
        refuse("expected 'descr', 'fortran_order' and 'shape' once each, got '", key, "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (position_ != text_.size()) refuse("expected only spaces behind the header's dictionary");
    if (!dtype || !fortran_order || !shape) refuse("expected the keys 'descr', 'fortran_order' and 'shape'");
    return {*dtype, *fortran_order, *shape};
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(in_.name(), ": at byte ", start_ + position_, ": ", parts...);
  }

  void skip_spaces() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }
  bool accept(char wanted) {
    skip_spaces();
    if (position_ == text_.size() || text_[position_] != wanted) return false;
    ++position_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) refuse("npy header: expected '", wanted, "'");
  }
  bool accept_word(std::string_view word) {
    skip_spaces();
    if (text_.substr(position_, word.size()) != word) return false;
    position_ += word.size();
    return true;
  }

  std::string_view quoted() {
    skip_spaces();
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '\'' && quote != '"') refuse("npy header: expected a quoted word");
    const size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) refuse("npy header: expected the end of a quoted word");
    const std::string_view word = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return word;
  }

  DType parse_dtype() {
    skip_spaces();
    if (position_ < text_.size() && text_[position_] == '[')
      refuse("expected a plain dtype, got a record of fields");
    const std::string_view descr = quoted();
    for (const NpyType& type : kTypes)
      if (type.descr == descr) return type.dtype;
    refuse("expected dtype '<f4', '<f8', '<i8', '<i4' or '|u1', got '", descr, "'");
  }

  bool parse_bool() {
    if (accept_word("True")) return true;
    if (!accept_word("False")) refuse("npy header: expected True or False");
    return false;
  }

  Shape parse_shape() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      if (shape.rank() == kMaxRank) refuse("expected at most ", kMaxRank, " axes");
      shape.push_back(parse_extent());
      if (accept(',')) continue;
      // "(3)" is a number in Python and no tuple.
      if (shape.rank() == 1) refuse("npy header: expected ',' behind the only extent of a shape");
      expect(')');
      break;
    }
    return shape;
  }

  int64_t parse_extent() {
    skip_spaces();
    const size_t begin = position_;
    int64_t value = 0;
    for (; position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9'; ++position_) {
      if (__builtin_mul_overflow(value, int64_t{10}, &value) ||
          __builtin_add_overflow(value, int64_t{text_[position_] - '0'}, &value))
        refuse("npy header: an extent does not fit 64 bits");
    }
    if (position_ == begin) refuse("npy header: expected an extent");
    return value;
  }

  const FileReader& in_;
  std::string_view text_;
  uint64_t start_;
  size_t position_ = 0;
};

Header read_header(FileReader& in) {
  const std::string magic = in.read_string(kMagic.size(), "npy magic");
  if (magic != kMagic) in.refuse("expected a npy file, which begins with \\x93NUMPY");
  const int major = in.little<uint8_t>("npy version"), minor = in.little<uint8_t>("npy version");
  if (major < 1 || major > 3 || minor != 0)
    in.refuse("expected npy version 1.0, 2.0 or 3.0, got ", major, ".", minor);
  const uint32_t length = major == 1 ? in.little<uint16_t>("length of the npy header")
                                     : in.little<uint32_t>("length of the npy header");
  if (length > kMaxHeaderBytes)
    in.refuse("expected a npy header of at most ", kMaxHeaderBytes, " bytes, got ", length);
  const uint64_t start = in.offset();
  const std::string text = in.read_string(length, "npy header");
  return HeaderParser(in, text, start).parse();
}

Dims reversed_axes(int rank) {
  Dims axes;
  for (int axis = rank - 1; axis >= 0; --axis) axes.push_back(axis);
  return axes;
}

std::string shape_text(const Shape& shape) {
  std::string text = "(";
  for (int64_t extent : shape) text += std::to_string(extent) + ", ";
  if (shape.rank() == 1) text.pop_back();              // (3,)
  if (shape.rank() > 1) text.resize(text.size() - 2);  // (3, 4)
  return text + ")";
}

}  // namespace

Tensor read_npy(const std::string& path) {
  FileReader in(path);
  return read_npy(in);
}

Tensor read_npy(FileReader& in) {
  const Header header = read_header(in);
  Shape stored = header.shape;
  if (header.fortran_order) std::reverse(&stored[0], &stored[0] + stored.rank());
  Tensor tensor = in.read_tensor(stored, header.dtype, "npy elements");
  in.expect_end();
  return header.fortran_order ? tensor.permute(reversed_axes(tensor.rank())) : tensor;
}

std::string encode_npy(const Tensor& tensor) {
  const Tensor transposed = tensor.permute(reversed_axes(tensor.rank()));
  const bool fortran_order = !tensor.is_contiguous() && transposed.is_contiguous();
  const Tensor elements = fortran_order ? transposed : tensor.contiguous();
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](NpyType t) { return t.dtype == tensor.dtype(); });
  std::string header =
      concat("{'descr': '", type->descr, "', 'fortran_order': ", fortran_order ? "True" : "False",
             ", 'shape': ", shape_text(tensor.shape()), ", }");
  // The elements begin at a multiple of 64 bytes; the header is filled with spaces and ends in a line break.
  const size_t prefix = kMagic.size() + 4;
  header.resize((prefix + header.size() + 1 + 63) / 64 * 64 - prefix - 1, ' ');
  header += '\n';
  std::string out(kMagic);
  out += {'\1', '\0', static_cast<char>(header.size()), static_cast<char>(header.size() >> 8)};
  out += header;
  if (tensor.is_empty()) return out;
  return out.append(static_cast<const char*>(elements.raw()),
                    static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()));
}

}  // namespace tenon
