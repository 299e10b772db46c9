// What trainings cost: a search method learns an architecture's accuracy by paying for it, and in no other way.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "core/random.h"

namespace tenon::neural_predictor {

enum class Signal {
  exact,      ///< the table's number
  simulated,  ///< Binomial(10,000, p) / 10,000 around it: one evaluation on 10,000 images, simulated
};

/// What is known of the members of a space, in percent.
struct Accuracies {
  std::vector<double> validation;  ///< what a search is told
  std::vector<double> test;        ///< what is reported of its pick
  Signal signal = Signal::exact;
};

/// The account of one run of a search. The table must outlive it.
class Ledger {
 public:
  /// `noise` draws the simulated evaluations.
  Ledger(const Accuracies& table, const Generator& noise) : table_(&table), noise_(noise) {}

  int64_t members() const { return static_cast<int64_t>(table_->validation.size()); }
  /// Trains a member, again if it was trained before, and returns its validation accuracy.
  double pay(int64_t row);
  /// The validation accuracy of its last training. Throws Error if it was not paid for.
  double validation(int64_t row) const;
  int64_t paid() const { return static_cast<int64_t>(picks_.size()); }
  /// After each training, the test accuracy of the one with the best validation accuracy so far (the first of equals).
  const std::vector<double>& picks() const { return picks_; }

 private:
  const Accuracies* table_;
  Generator noise_;
  std::unordered_map<int64_t, double> known_;
  std::vector<double> picks_;
  double best_ = -1;
};

}  // namespace tenon::neural_predictor
