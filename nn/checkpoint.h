// Checkpoints: everything that a run needs to go on to the same bits, in one safetensors file that Python
// reads as it is.
//
//   Checkpoint out;
//   out.put("model", net->state());
//   out.put("optimizer", optimizer.state());
//   out.put("schedule", schedule.state());
//   out.put("random", default_generator());
//   out.put("epoch", int64_t{12});                     // and the data cursor, likewise
//   out.save(path);                                    // the old file or the whole new one, never a half
//
//   Checkpoint in = Checkpoint::load(path);
//   net->load_state(in.state("model"));
//   default_generator() = in.generator("random");
#pragma once

#include <string>

#include "core/random.h"
#include "nn/module.h"

namespace tenon {

class Checkpoint {
 public:
  // Each of these throws Error if the name is taken, empty or has a slash. States are kept as handles: save
  // before the tensors change, or put clones.
  void put(const std::string& section, const State& state);  ///< tensors "<section>/<name>"; at least one
  void put(const std::string& name, const Generator& generator);
  void put(const std::string& name, int64_t value);
  void put(const std::string& name, double value);  ///< every bit is kept
  void put(const std::string& name, const std::string& text);
  void put(const std::string& name, const char* text) { put(name, std::string(text)); }

  // Each of these throws Error, naming file and entry, if there is none or if it is of another kind.
  State state(const std::string& section) const;
  Generator generator(const std::string& name) const;
  int64_t integer(const std::string& name) const;
  double real(const std::string& name) const;
  const std::string& text(const std::string& name) const;
  bool has(const std::string& name) const;

  /// Writes the file atomically. The folder must exist.
  void save(const std::string& path) const;
  /// Reads a file that `save` wrote. Throws Error naming file, byte and expectation if it is none or is
  /// damaged.
  static Checkpoint load(const std::string& path);

 private:
  void check_new(const std::string& name) const;
  const Tensor& entry(const std::string& name, DType dtype, const Shape& shape) const;

  std::string source_ = "checkpoint";  // for errors: the file it was read from
  State tensors_;                      // "model/fc1.weight", "epoch"
  std::map<std::string, std::string> texts_;
};

/// A module's state alone, by its own names, as other programs expect weights.
void save_weights(const std::string& path, const Module& module);
/// Strict: as Module::load_state, with errors that name the file.
void load_weights(const std::string& path, Module& module);

}  // namespace tenon
