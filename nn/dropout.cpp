#include "nn/dropout.h"

#include "autograd/ops/dropout.h"

namespace tenon {

Dropout::Dropout(double p, Generator& generator) : generator_(&generator) { set_p(p); }

void Dropout::set_p(double p) {
  TENON_CHECK(p >= 0 && p <= 1, "Dropout: p expects a number in [0, 1], got ", p);
  p_ = p;
}

Variable Dropout::forward(const Variable& x) { return is_training() ? dropout(x, p_, *generator_) : x; }

ChannelDropout::ChannelDropout(double p, Generator& generator) : p_(p), generator_(&generator) {
  TENON_CHECK(p >= 0 && p <= 1, "ChannelDropout: p expects a number in [0, 1], got ", p);
}

Variable ChannelDropout::forward(const Variable& x) {
  return is_training() ? dropout_channels(x, p_, *generator_) : x;
}

}  // namespace tenon
