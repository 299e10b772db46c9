// The claims of the method, as inequalities that these experiments must reach, judged on what a run measured.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "papers/experiment/claims.h"
#include "papers/experiment/options.h"
#include "papers/svd_training/facts.h"

namespace tenon::svd_training {

/// Accuracy (percent of the test images) against multiply-adds saved: points, of which only those that no other point beats
/// in both count, joined by straight lines.
class TradeOff {
 public:
  struct Point {
    double speed_up, accuracy;
  };
  explicit TradeOff(std::vector<Point> points);
  bool empty() const { return front_.empty(); }
  /// The largest speed-up at which the accuracy is reached, the last point's if that has it still; nothing if none has.
  std::optional<double> speed_up_at(double accuracy) const;
  /// The accuracy at a speed-up within the points.
  std::optional<double> accuracy_at(double speed_up) const;
  /// From the least speed-up to the largest; accuracy falls.
  const std::vector<Point>& front() const { return front_; }

 private:
  std::vector<Point> front_;
};

/// All claims of the convolutional study (or, of the prototype's, those that it can tell of). Among the strengths of a
/// sparsifier the one of least rank is taken whose stage 2 lost at most a point on validation images.
std::vector<experiment::Claim> claims_of(const Facts& facts, const Study& study,
                                         const experiment::Options& options);

}  // namespace tenon::svd_training
