// When to grow which stage, and when to stop: a function of the validation accuracies alone. It knows no network.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tenon::autogrow {

/// Blocks in each stage.
using Depths = std::vector<int64_t>;
/// "20-19-19"
std::string depths_text(const Depths& depths);
int64_t sum_of(const Depths& depths);

enum class Growth {
  periodic,    ///< p-AutoGrow: a block every K epochs
  convergent,  ///< c-AutoGrow: a block when K epochs have gained less than tau
};

struct PolicyOptions {
  Growth growth = Growth::periodic;
  int64_t interval = 3;       ///< K, epochs
  int64_t window = 200;       ///< J, epochs over which a gain is measured; convergent: K
  double tau = 0.05;          ///< a smaller gain stops a stage: percentage points
  int64_t max_depth = 200;    ///< of a stage
  int64_t max_epochs = 4000;  ///< growing ends at the first interval's end from here on
};

/// What the end of an interval led to. Stages count from 0; -1 is none.
struct Event {
  int64_t epoch = 0;  ///< epochs that are done
  int frozen = -1;    ///< this stage, the one that grew last, takes no further block
  int grown = -1;     ///< this stage gets a block
  Depths depths;      ///< from now on
  friend bool operator==(const Event&, const Event&) = default;
};

/// Periodic: at the end of every interval, if the running maximum m of accuracy gained less than tau over J epochs, the stage
/// that grew last is frozen, and in the same step the next live stage gets a block; with none left growing ends.
/// Convergent: a stage gets a block only once an interval gained less than tau; if the interval after it gains less than tau
/// too, that stage is frozen.
/// A gain over a window longer than the history is m itself: growing never stops so early. Nothing is ever removed.
///
/// The state is the history: a policy that is told the same accuracies again is the same policy.
class GrowthPolicy {
 public:
  /// Throws Error if an option or a depth is below 1, or a depth above max_depth.
  GrowthPolicy(const PolicyOptions& options, Depths seed);

  /// The validation accuracy of the next epoch, in percent. Throws Error once growing has ended.
  std::optional<Event> observe(double accuracy);

  bool ended() const { return ended_; }
  const Depths& depths() const { return depths_; }
  /// Epochs told.
  int64_t epochs() const { return static_cast<int64_t>(best_.size()); }
  const std::vector<Event>& events() const { return events_; }
  /// Blocks in each stage while the given epoch (from 1) is trained.
  const Depths& depths_in(int64_t epoch) const;
  /// True if a limit, of depth or of epochs, kept the policy from finding the depths by itself.
  bool limited() const;

 private:
  bool gained() const;
  bool is_live(int stage) const;
  int next_live(int from) const;
  void freeze_last(Event& event);
  void grow_next(Event& event);
  void end_periodic_interval(Event& event, bool gained);
  void end_convergent_interval(Event& event, bool gained);

  PolicyOptions options_;
  Depths seed_, depths_, limits_;
  int last_ = -1;          // the stage that grew last
  bool grew_now_ = false;  // convergent: it did at the start of this interval
  bool ended_ = false, out_of_epochs_ = false;
  std::vector<double> best_;  // m: running maximum
  std::vector<Event> events_;
};

/// A published, or computed, run of the policy on  accuracy(t) = 94 - 60 exp(-t / 20), rounded to 4 decimals, t from 0: the
/// curve never sees a block, so what is found is the clock's doing.
struct GoldenTrace {
  PolicyOptions options;
  Depths seed, found;
  int64_t epochs = 0;  ///< after which growing ended
};
const std::vector<GoldenTrace>& golden_traces();
/// The policy of a trace, run to its end.
GrowthPolicy replayed(const GoldenTrace& trace);

}  // namespace tenon::autogrow
