// Layout: 8 bytes, little-endian: length n of the header; n bytes: a JSON object {name: {"dtype", "shape",
// "data_offsets"}, "__metadata__": {text: text}}; then the elements, offsets counted from the header's end.
#include "data/safetensors.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "core/atomic_file.h"
#include "core/json.h"

namespace tenon {
namespace {

struct Type {
  std::string_view name;
  DType dtype;
};
constexpr Type kTypes[] = {{"F32", float32}, {"F64", float64}, {"I64", int64}, {"I32", int32}, {"U8", uint8}};

constexpr const char* kMetadata = "__metadata__";
constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the format's own library

// A tensor as the header declares it.
struct Entry {
  std::string name;
  DType dtype = float32;
  Shape shape;
  uint64_t begin = 0, end = 0;
};

// Turns one member of the header into an Entry. `what` opens the messages: file and tensor.
Entry parse_entry(const std::string& what, const std::string& name, const Json& json) {
  TENON_CHECK(json.is_object() && json.size() == 3 && json.find("dtype") && json.find("shape") &&
                  json.find("data_offsets"),
              what, ": expected an object of dtype, shape and data_offsets");
  const Json &dtype = json.at("dtype"), &shape = json.at("shape"), &offsets = json.at("data_offsets");
  TENON_CHECK(dtype.is_string() && shape.is_array() && offsets.is_array() && offsets.size() == 2, what,
              ": expected dtype a string, shape an array, data_offsets an array of two");
  const auto count = [&](const Json& number, const char* of) {
    TENON_CHECK(number.is_integer() && number.as_integer() >= 0, what, ": expected ", of,
                " to be integers >= 0");
    return number.as_integer();
  };
  Entry entry;
  entry.name = name;
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const Type& row) { return row.name == dtype.as_string(); });
  TENON_CHECK(type != std::end(kTypes), what, ": expected dtype F32, F64, I64, I32 or U8, got '",
              dtype.as_string(), "'");
  entry.dtype = type->dtype;
  TENON_CHECK(shape.size() <= kMaxRank, what, ": expected at most ", kMaxRank, " axes, got ", shape.size());
  for (const Json& extent : shape.items()) entry.shape.push_back(count(extent, "extents"));
  entry.begin = static_cast<uint64_t>(count(offsets.at(size_t{0}), "data_offsets"));
  entry.end = static_cast<uint64_t>(count(offsets.at(size_t{1}), "data_offsets"));
  const auto bytes = tensor_bytes(entry.shape, entry.dtype);
  TENON_CHECK(bytes && entry.begin <= entry.end && entry.end - entry.begin == *bytes, what,
              ": expected the bytes of ", entry.dtype, " ", entry.shape, ", got data_offsets ", entry.begin,
              " to ", entry.end);
  return entry;
}

// Positions of `entries` in the order of their bytes, which must follow each other from 0 to `bytes`.
std::vector<size_t> order_in_file(const FileReader& in, const std::vector<Entry>& entries, uint64_t bytes) {
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(entries[a].begin, entries[a].end) < std::pair(entries[b].begin, entries[b].end);
  });
  uint64_t reached = 0;
  for (size_t i : order) {
    if (entries[i].begin != reached)
      in.refuse("tensor '", entries[i].name, "': expected data_offsets that begin at ", reached,
                ", where the one before ends, got ", entries[i].begin);
    reached = entries[i].end;
  }
  if (reached != bytes) in.refuse("expected ", reached, " bytes of tensors, ", bytes, " are left");
  return order;
}

void parse_metadata(const FileReader& in, const Json& json, Safetensors& file) {
  if (!json.is_object()) in.refuse(kMetadata, ": expected an object");
  for (const auto& [key, value] : json.members()) {
    if (!value.is_string()) in.refuse(kMetadata, ": expected text for '", key, "'");
    file.metadata.emplace_back(key, value.as_string());
  }
}

Json metadata_of(const Safetensors& file) {
  Json metadata = Json::object();
  for (const auto& [key, text] : file.metadata) {
    TENON_CHECK(metadata.find(key) == nullptr, "write_safetensors: expects each text once, got '", key,
                "' again");
    metadata[key] = text;
  }
  return metadata;
}

// The header of a file whose tensors lie in the given order.
Json header_of(const Safetensors& file, const std::vector<size_t>& order) {
  std::vector<std::pair<uint64_t, uint64_t>> offsets(order.size());
  uint64_t reached = 0;
  for (size_t i : order) {
    const auto& [name, tensor] = file.tensors[i];
    TENON_CHECK(tensor.defined(), "write_safetensors: tensor '", name, "' is undefined");
    offsets[i].first = reached;
    offsets[i].second = reached += static_cast<uint64_t>(tensor.numel()) * size_of(tensor.dtype());
  }
  Json header = Json::object();
  if (!file.metadata.empty()) header[kMetadata] = metadata_of(file);
  std::set<std::string> names{kMetadata};
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const auto& [name, tensor] = file.tensors[i];
    TENON_CHECK(names.insert(name).second, "write_safetensors: expects each name once and none called ",
                kMetadata, ", got '", name, "'");
    const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                    [dtype = tensor.dtype()](const Type& row) { return row.dtype == dtype; });
    header[name] = Json::object({{"dtype", type->name},
                                 {"shape", Json::array_of(tensor.shape())},
                                 {"data_offsets", Json::array({offsets[i].first, offsets[i].second})}});
  }
  return header;
}

}  // namespace

const Tensor& Safetensors::at(const std::string& name) const {
  for (const auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  fail("safetensors: no tensor '", name, "'");
}

const std::string* Safetensors::find_metadata(const std::string& name) const {
  for (const auto& [key, text] : metadata)
    if (key == name) return &text;
  return nullptr;
}

Safetensors read_safetensors(const std::string& path) { return read_safetensors(ByteSource::file(path)); }

Safetensors read_safetensors(const ByteSource& source) {
  FileReader in = FileReader::window(source, 0, source.size());  // never gzip: the length may begin like one
  const auto length = in.little<uint64_t>("length of the safetensors header");
  if (length > kMaxHeaderBytes)
    in.refuse("expected a header of at most ", kMaxHeaderBytes, " bytes, got ", length);
  const std::string text = in.read_string(length, "safetensors header");
  TENON_CHECK(!text.empty() && text[0] == '{', in.name(), ": at byte ", kLengthBytes,
              ": expected a safetensors header, which begins with '{'");
  const Json header = Json::parse(text, concat(in.name(), ": header from byte ", kLengthBytes));
  Safetensors file;
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.members()) {
    if (name == kMetadata) {
      parse_metadata(in, json, file);
    } else {
      entries.push_back(
          parse_entry(concat(in.name(), ": at byte ", kLengthBytes, ": tensor '", name, "'"), name, json));
      file.tensors.emplace_back(name, Tensor());
    }
  }
  for (size_t i : order_in_file(in, entries, in.remaining()))
    file.tensors[i].second = in.read_tensor(entries[i].shape, entries[i].dtype, "elements of a tensor");
  return file;
}

void write_safetensors(const std::string& path, const Safetensors& file) {
  // Larger elements first, so that every tensor is aligned to its element size.
  std::vector<size_t> order(file.tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return size_of(file.tensors[a].second.dtype()) > size_of(file.tensors[b].second.dtype());
  });
  std::string header = header_of(file, order).dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');

  AtomicFile out(path);
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(uint64_t{header.size()} >> (8 * i));
  out.write(length);
  out.write(header);
  for (size_t i : order) {
    const Tensor elements = file.tensors[i].second.to(Device::cpu()).contiguous();
    if (!elements.is_empty())
      out.write(elements.raw(), static_cast<size_t>(elements.numel()) * size_of(elements.dtype()));
  }
  out.commit();
}

}  // namespace tenon
