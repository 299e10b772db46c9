// What the method does at every step of a stage besides descending the loss: penalties, retraction, and what is noted.
#pragma once

#include "papers/experiment/training.h"
#include "papers/svd_training/recipes.h"

namespace tenon::svd_training {

/// The hooks of one stage of one network. Outlives the stage.
class FactorHooks {
 public:
  /// Strengths are those of the recipe; stage 3 and stage 1 have no `sparsifier`.
  FactorHooks(Module& net, const Recipe& recipe, Sparsifier sparsifier);
  /// Hangs the hooks on a stage.
  void attach(experiment::Stage& stage);

 private:
  void after_backward();
  Json epoch_facts() const;

  std::vector<NamedSvdLayer> layers_;
  Recipe recipe_;
  Sparsifier sparsifier_;
  std::vector<double>
      largest_gradients_;  // of u, layer by layer: |dL/du|, the penalties left out, over all steps
  int64_t svds_before_ = 0;
};

}  // namespace tenon::svd_training
