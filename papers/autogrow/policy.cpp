#include "papers/autogrow/policy.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"

namespace tenon::autogrow {

std::string depths_text(const Depths& depths) {
  std::string text;
  for (int64_t depth : depths) text += concat(text.empty() ? "" : "-", depth);
  return text;
}

int64_t sum_of(const Depths& depths) { return std::accumulate(depths.begin(), depths.end(), int64_t{0}); }

GrowthPolicy::GrowthPolicy(const PolicyOptions& options, Depths seed)
    : options_(options), seed_(std::move(seed)), depths_(seed_), limits_(seed_.size(), options.max_depth) {
  TENON_CHECK(options.interval >= 1 && options.window >= 1 && options.max_epochs >= 1,
              "GrowthPolicy: interval, window and max_epochs expect 1 or more, got ", options.interval, ", ",
              options.window, " and ", options.max_epochs);
  TENON_CHECK(!seed_.empty(), "GrowthPolicy: expects a stage at least");
  for (int64_t depth : seed_)
    TENON_CHECK(depth >= 1 && depth <= options.max_depth, "GrowthPolicy: depth expects 1 to ",
                options.max_depth, ", got ", depth);
  if (options_.growth == Growth::convergent) options_.window = options_.interval;
  ended_ = next_live(0) < 0;
}

bool GrowthPolicy::gained() const {
  const size_t now = best_.size() - 1, window = static_cast<size_t>(options_.window);
  return (now < window ? best_[now] : best_[now] - best_[now - window]) >= options_.tau;
}

bool GrowthPolicy::is_live(int stage) const {
  return depths_[static_cast<size_t>(stage)] < limits_[static_cast<size_t>(stage)];
}

// The first live stage from `from` on, in cyclic order; -1 if there is none.
int GrowthPolicy::next_live(int from) const {
  const int stages = static_cast<int>(depths_.size());
  for (int i = 0; i < stages; ++i)
    if (is_live((from + i) % stages)) return (from + i) % stages;
  return -1;
}

void GrowthPolicy::freeze_last(Event& event) {
  limits_[static_cast<size_t>(last_)] = depths_[static_cast<size_t>(last_)];
  event.frozen = last_;
}

void GrowthPolicy::grow_next(Event& event) {
  last_ = event.grown = next_live(last_ + 1);
  ++depths_[static_cast<size_t>(last_)];
}

void GrowthPolicy::end_periodic_interval(Event& event, bool gained) {
  if (!gained && last_ >= 0) freeze_last(event);
  ended_ = next_live(0) < 0;
  if (!ended_) grow_next(event);
}

void GrowthPolicy::end_convergent_interval(Event& event, bool gained) {
  if (grew_now_ && !gained) freeze_last(event);
  ended_ = grew_now_ && next_live(0) < 0;
  grew_now_ = !ended_ && !gained;
  if (grew_now_) grow_next(event);
}

std::optional<Event> GrowthPolicy::observe(double accuracy) {
  TENON_CHECK(!ended_, "GrowthPolicy: observe: growing has ended");
  best_.push_back(best_.empty() ? accuracy : std::max(best_.back(), accuracy));
  if (epochs() % options_.interval != 0) return std::nullopt;
  Event event{.epoch = epochs(), .depths = {}};
  if (epochs() >= options_.max_epochs)
    ended_ = out_of_epochs_ = true;
  else if (options_.growth == Growth::periodic)
    end_periodic_interval(event, gained());
  else
    end_convergent_interval(event, gained());
  event.depths = depths_;
  if (event.frozen >= 0 || event.grown >= 0) events_.push_back(event);
  return event;
}

const Depths& GrowthPolicy::depths_in(int64_t epoch) const {
  const Depths* depths = &seed_;
  for (const Event& event : events_)
    if (event.epoch < epoch) depths = &event.depths;
  return *depths;
}

bool GrowthPolicy::limited() const {
  return out_of_epochs_ || std::any_of(depths_.begin(), depths_.end(),
                                       [&](int64_t depth) { return depth >= options_.max_depth; });
}

const std::vector<GoldenTrace>& golden_traces() {
  const auto periodic = [](int64_t interval, int64_t window) {
    return PolicyOptions{.interval = interval, .window = window};
  };
  const PolicyOptions convergent{.growth = Growth::convergent, .interval = 30};
  static const std::vector<GoldenTrace> all = {
      {periodic(3, 30), {1, 1, 1}, {20, 20, 20}, 174}, {periodic(3, 200), {1, 1, 1}, {40, 40, 39}, 351},
      {periodic(1, 30), {1, 1, 1}, {58, 57, 57}, 170}, {periodic(10, 30), {1, 1, 1}, {7, 7, 7}, 190},
      {periodic(3, 30), {5, 5, 5}, {24, 24, 24}, 174}, {periodic(3, 30), {1, 1, 1, 1}, {16, 16, 15, 15}, 177},
      {convergent, {1, 1, 1}, {2, 2, 2}, 270},
  };
  return all;
}

GrowthPolicy replayed(const GoldenTrace& trace) {
  GrowthPolicy policy(trace.options, trace.seed);
  for (int64_t t = 0; !policy.ended(); ++t)
    policy.observe(std::round(1e4 * (94 - 60 * std::exp(-static_cast<double>(t) / 20))) / 1e4);
  return policy;
}

}  // namespace tenon::autogrow
