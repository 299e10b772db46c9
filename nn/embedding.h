// Embedding: a table of vectors, looked up by number.
#pragma once

#include "core/random.h"
#include "nn/module.h"

namespace tenon {

/// ids (int64, any shape) to [*ids, width]. Parameter `weight` [count, width], drawn from N(0, 1).
class Embedding : public Module {
 public:
  Embedding(int64_t count, int64_t width, Generator& generator = default_generator());
  /// Throws Error on an id outside [0, count).
  Variable forward(const Variable& ids) override;
  const char* kind() const override { return "Embedding"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  Variable weight;
};

}  // namespace tenon
