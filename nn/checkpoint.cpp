#include "nn/checkpoint.h"

#include <bit>

#include "data/safetensors.h"

namespace tenon {
namespace {

// Marks a file of ours, and its version.
constexpr const char* kFormatKey = "tenon_checkpoint";
constexpr const char* kFormat = "1";

}  // namespace

void Checkpoint::check_new(const std::string& name) const {
  TENON_CHECK(!name.empty() && name.find('/') == std::string::npos && name != kFormatKey,
              "checkpoint: a name expects at least one character and no slash, got '", name, "'");
  TENON_CHECK(!has(name), "checkpoint: the name '", name, "' is taken");
}

bool Checkpoint::has(const std::string& name) const {
  auto section = tensors_.lower_bound(name + "/");
  bool is_section = section != tensors_.end() && section->first.starts_with(name + "/");
  return is_section || tensors_.contains(name) || texts_.contains(name);
}

void Checkpoint::put(const std::string& section, const State& state) {
  check_new(section);
  TENON_CHECK(!state.empty(), "checkpoint: section '", section, "' has no tensors");
  for (const auto& [name, tensor] : state) tensors_.emplace(concat(section, "/", name), tensor);
}

void Checkpoint::put(const std::string& name, const Generator& generator) {
  const Generator::State s = generator.state();
  check_new(name);
  tensors_.emplace(name,
                   Tensor::from<int64_t>({std::bit_cast<int64_t>(s.seed), std::bit_cast<int64_t>(s.stream),
                                          std::bit_cast<int64_t>(s.position)}));
}

void Checkpoint::put(const std::string& name, int64_t value) {
  check_new(name);
  tensors_.emplace(name, Tensor::from<int64_t>({value}, {}));
}

void Checkpoint::put(const std::string& name, double value) {
  check_new(name);
  tensors_.emplace(name, Tensor::from<double>({value}, {}));
}

void Checkpoint::put(const std::string& name, const std::string& text) {
  check_new(name);
  texts_.emplace(name, text);
}

State Checkpoint::state(const std::string& section) const {
  State out;
  const std::string prefix = section + "/";
  for (auto it = tensors_.lower_bound(prefix); it != tensors_.end() && it->first.starts_with(prefix); ++it)
    out.emplace(it->first.substr(prefix.size()), it->second);
  TENON_CHECK(!out.empty(), source_, ": expects a section '", section, "', has none");
  return out;
}

const Tensor& Checkpoint::entry(const std::string& name, DType dtype, const Shape& shape) const {
  auto found = tensors_.find(name);
  TENON_CHECK(found != tensors_.end(), source_, ": expects an entry '", name, "', has none");
  TENON_CHECK(found->second.dtype() == dtype && found->second.shape() == shape, source_, ": entry '", name,
              "' expects ", dtype, " ", shape, ", got ", found->second.str());
  return found->second;
}

Generator Checkpoint::generator(const std::string& name) const {
  const std::vector<int64_t> words = entry(name, int64, {3}).to_vector<int64_t>();
  return Generator::from({std::bit_cast<uint64_t>(words[0]), std::bit_cast<uint64_t>(words[1]),
                          std::bit_cast<uint64_t>(words[2])});
}

int64_t Checkpoint::integer(const std::string& name) const {
  return entry(name, int64, {}).to_vector<int64_t>()[0];
}
double Checkpoint::real(const std::string& name) const {
  return entry(name, float64, {}).to_vector<double>()[0];
}

const std::string& Checkpoint::text(const std::string& name) const {
  auto found = texts_.find(name);
  TENON_CHECK(found != texts_.end(), source_, ": expects a text '", name, "', has none");
  return found->second;
}

void Checkpoint::save(const std::string& path) const {
  Safetensors file;
  file.tensors.assign(tensors_.begin(), tensors_.end());
  file.metadata.emplace_back(kFormatKey, kFormat);
  for (const auto& text : texts_) file.metadata.emplace_back(text);
  write_safetensors(path, file);
}

Checkpoint Checkpoint::load(const std::string& path) {
  Safetensors file = read_safetensors(path);
  const std::string* format = file.find_metadata(kFormatKey);
  TENON_CHECK(format != nullptr, path, ": no checkpoint: the header's metadata has no '", kFormatKey, "'");
  TENON_CHECK(*format == kFormat, path, ": expects checkpoint format ", kFormat, ", got '", *format, "'");
  Checkpoint out;
  out.source_ = path;
  out.tensors_.insert(file.tensors.begin(), file.tensors.end());
  for (const auto& [key, text] : file.metadata)
    if (key != kFormatKey) out.texts_.emplace(key, text);
  return out;
}

void save_weights(const std::string& path, const Module& module) {
  const State state = module.state();
  Safetensors file;
  file.tensors.assign(state.begin(), state.end());
  write_safetensors(path, file);
}

void load_weights(const std::string& path, Module& module) {
  Safetensors file = read_safetensors(path);
  copy_state(path.c_str(), State(file.tensors.begin(), file.tensors.end()), module.state());
}

}  // namespace tenon
