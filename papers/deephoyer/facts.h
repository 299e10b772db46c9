// What is measured on the networks that a run left: sizes, structure, multiply-accumulates and times.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/compress/channels.h"
#include "papers/deephoyer/arms.h"

namespace tenon::deephoyer {

struct LayerFacts {
  std::string name;                       ///< "fc1"
  int64_t weights = 0, nonzero = 0;       ///< of the weight; biases are not weights
  int64_t rows = 0, live_rows = 0;        ///< outputs; live: some weight is not 0
  int64_t columns = 0, live_columns = 0;  ///< inputs
};

/// A network after physical shrinking (nn/compress/shrink.h, for residual ones nn/compress/channels.h), beside the masked one
/// that it came from.
struct ShrunkFacts {
  /// "353-45-11": inputs (or filters) that live, layer by layer. Of a residual network "16: 5 9 16 | 30: ...": the channels of
  /// each stage, and those inside its blocks.
  std::string structure;
  std::vector<KeptChannels> channels;  ///< of a residual network
  int64_t macs = 0;                    ///< of one image
  double largest_error = 0;            ///< of the logits on 1,000 test images, relative to the largest logit
  /// Forward of 128 images, one thread, medians; 0 where not timed. Both of a residual network are compiled for inference.
  double dense_ms = 0, shrunk_ms = 0;
};

/// A masked network compiled to sparse products (nn/compress/sparse.h), beside itself with dense ones. One
/// thread, medians of alternating forwards.
struct SparseFacts {
  /// Times of one batch.
  struct Times {
    double dense_ms = 0, sparse_ms = 0;  ///< 0 where not timed
    double speed_up() const { return dense_ms / sparse_ms; }
  };
  double largest_error = 0;  ///< as that of ShrunkFacts
  Times batch_128, batch_1;
};

/// One network: a point of an arm with one seed.
struct PointFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  double point = 0;
  // Fractions of images that are classified rightly; NaN where there is no such stage.
  double dense_test = 0;  ///< of the dense net that it started from
  double before_test = 0, cut_test = 0, final_test = 0;
  double cut_validation = 0, final_validation = 0;
  std::vector<LayerFacts> layers;
  int64_t weights = 0, nonzero = 0, biases = 0, nonzero_biases = 0, dense_macs = 0;
  double hoyer_square = 0;         ///< sum over all parameter tensors of the final network
  double hoyer_square_before = 0;  ///< the same before the cut
  double penalty_before = 0;       ///< lambda times the penalty's measure before the cut
  double magnitude_cut_test =
      0;  ///< the dense net cut by magnitude to the same density, not finetuned; NaN if not asked
  ShrunkFacts shrunk;
  SparseFacts sparse;  ///< of the LeNets
  double density() const { return static_cast<double>(nonzero) / static_cast<double>(weights); }
  double mac_fraction() const { return static_cast<double>(shrunk.macs) / static_cast<double>(dense_macs); }
};

/// A dense arm with one seed.
struct DenseFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  double test = 0, validation = 0;
};

/// A penalty's strength against its effect on a layer whose weights are scaled (claim 9).
struct ScaleFacts {
  double hoyer_square_change = 0;  ///< |HS(10 w) / HS(w) - 1|
  double l1_ratio = 0;             ///< L1(10 w) / L1(w)
};

/// Everything that a run's finished pairs tell.
struct Facts {
  std::vector<DenseFacts> dense;
  std::vector<PointFacts> points;
  std::optional<ScaleFacts> scale;
};

/// Layers with a weight, in order.
std::vector<LayerFacts> layer_facts(const Module& net);
/// Shrinks a copy of `net`, compares logits on up to 1,000 of `images`, and times both.
ShrunkFacts shrunk_facts(Network network, Sequential& net, const Tensor& images);
/// Compiles `net` for 128 images and for one, compares logits on the 128, and times both.
SparseFacts sparse_facts(Sequential& net, const Tensor& images);

/// Reads the finished pairs among `arms` x `seeds` of the run; those that are not finished are left out.
Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms, const std::vector<int64_t>& seeds);

/// Layers, sizes and accuracies as JSON, for results.json.
Json facts_json(const PointFacts& facts);

}  // namespace tenon::deephoyer
