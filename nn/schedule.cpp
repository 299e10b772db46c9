#include "nn/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace tenon {

RateFactor steps(int64_t period, double gamma) {
  TENON_CHECK(period >= 1, "steps: period expects >= 1, got ", period);
  return [=](int64_t t) {
    const int64_t whole_periods = t / period;
    return std::pow(gamma, static_cast<double>(whole_periods));
  };
}

RateFactor multi_step(std::vector<int64_t> milestones, double gamma) {
  TENON_CHECK(std::is_sorted(milestones.begin(), milestones.end()),
              "multi_step: expects milestones in ascending order");
  return [=](int64_t t) {
    auto passed = std::upper_bound(milestones.begin(), milestones.end(), t) - milestones.begin();
    return std::pow(gamma, static_cast<double>(passed));
  };
}

RateFactor exponential(double gamma) {
  return [=](int64_t t) { return std::pow(gamma, static_cast<double>(t)); };
}

RateFactor cosine(int64_t total, double floor) {
  TENON_CHECK(total >= 1, "cosine: total expects >= 1, got ", total);
  return [=](int64_t t) {
    double part = static_cast<double>(std::min(t, total)) / static_cast<double>(total);
    return floor + (1 - floor) * (1 + std::cos(std::numbers::pi * part)) / 2;
  };
}

RateFactor warm_up(int64_t n, double start, RateFactor then) {
  TENON_CHECK(n >= 1, "warm_up: expects n >= 1, got ", n);
  return [=, then = std::move(then)](int64_t t) {
    double part = static_cast<double>(std::min(t, n)) / static_cast<double>(n);
    return (start + (1 - start) * part) * then(t);
  };
}

// ---- Schedule ---------------------------------------------------------------------------------------

Schedule::Schedule(Optimizer& optimizer, RateFactor factor)
    : optimizer_(optimizer), factor_(std::move(factor)) {
  for (const ParameterGroup& group : optimizer_.groups()) base_.push_back(group.lr);
  apply();
}

void Schedule::step() {
  ++position_;
  apply();
}

void Schedule::apply() {
  TENON_CHECK(base_.size() == optimizer_.groups().size(), "Schedule: the optimiser has ",
              optimizer_.groups().size(), " groups, it had ", base_.size(), " when the schedule was made");
  const double factor = factor_(position_);
  for (size_t g = 0; g < base_.size(); ++g) optimizer_.groups()[g].lr = base_[g] * factor;
}

namespace {

void check_entry(const char* who, const State& state, const char* name, DType dtype, const Shape& shape) {
  auto found = state.find(name);
  TENON_CHECK(found != state.end(), who, ": load_state: missing '", name, "'");
  TENON_CHECK(found->second.dtype() == dtype && found->second.shape() == shape, who, ": load_state: '", name,
              "' expects ", dtype, " ", shape, ", got ", found->second.str());
}

void check_count(const char* who, const State& state, size_t expected) {
  TENON_CHECK(state.size() == expected, who, ": load_state: expects ", expected, " entries, got ",
              state.size());
}

}  // namespace

State Schedule::state() const {
  return {{"position", Tensor::from<int64_t>({position_}, {})}, {"base_lr", Tensor::from(base_)}};
}

void Schedule::load_state(const State& state) {
  check_entry("Schedule", state, "position", int64, {});
  check_entry("Schedule", state, "base_lr", float64, {static_cast<int64_t>(base_.size())});
  check_count("Schedule", state, 2);
  position_ = state.at("position").to_vector<int64_t>()[0];
  base_ = state.at("base_lr").to_vector<double>();
  apply();
}

// ---- PlateauSchedule --------------------------------------------------------------------------------

PlateauSchedule::PlateauSchedule(Optimizer& optimizer, PlateauOptions options)
    : optimizer_(optimizer),
      options_(options),
      best_(options.smaller_is_better ? std::numeric_limits<double>::infinity()
                                      : -std::numeric_limits<double>::infinity()) {
  TENON_CHECK(options.factor > 0 && options.factor < 1,
              "PlateauSchedule: factor expects a number in (0, 1), got ", options.factor);
}

bool PlateauSchedule::improves(double value) const {
  if (std::isinf(best_)) return options_.smaller_is_better ? value < best_ : value > best_;
  double margin = options_.threshold * std::abs(best_);
  return options_.smaller_is_better ? value < best_ - margin : value > best_ + margin;
}

bool PlateauSchedule::step(double value) {
  if (improves(value)) {
    best_ = value;
    waited_ = 0;
    return false;
  }
  if (++waited_ <= options_.patience) return false;
  waited_ = 0;
  for (ParameterGroup& group : optimizer_.groups())
    group.lr = std::max(group.lr * options_.factor, options_.min_lr);
  return true;
}

State PlateauSchedule::state() const {
  return {{"best", Tensor::scalar(best_, float64)}, {"waited", Tensor::from<int64_t>({waited_}, {})}};
}

void PlateauSchedule::load_state(const State& state) {
  check_entry("PlateauSchedule", state, "best", float64, {});
  check_entry("PlateauSchedule", state, "waited", int64, {});
  check_count("PlateauSchedule", state, 2);
  best_ = state.at("best").item();
  waited_ = state.at("waited").to_vector<int64_t>()[0];
}

}  // namespace tenon
