// Initialisers: they overwrite a tensor with random or fixed numbers, drawn from a Generator, so that a
// network is a function of its seed. Fans of a weight [out, in, kernel...]: fan_in = in * kernel, fan_out =
// out * kernel.
#pragma once

#include "core/random.h"
#include "core/tensor.h"

namespace tenon::init {

enum class Fan { in, out };

/// Fan of a weight [out, in, kernel...]; `in` is per group for grouped convolutions. Throws Error for rank
/// < 2.
int64_t fan_of(const Tensor& weight, Fan fan);

/// sqrt(2): the gain of ReLU. For leaky ReLU of slope a it is sqrt(2 / (1 + a^2)).
double relu_gain(double slope = 0);

/// U[-b, b) with b = gain sqrt(3 / fan) (He et al., 2015).
void kaiming_uniform(const Tensor& weight, Generator& generator, double gain = relu_gain(),
                     Fan fan = Fan::in);
/// N(0, gain^2 / fan) (He et al., 2015).
void kaiming_normal(const Tensor& weight, Generator& generator, double gain = relu_gain(), Fan fan = Fan::in);
/// U[-b, b) with b = gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).
void xavier_uniform(const Tensor& weight, Generator& generator, double gain = 1);
/// N(0, 2 gain^2 / (fan_in + fan_out)).
void xavier_normal(const Tensor& weight, Generator& generator, double gain = 1);
/// Rows (or columns, if there are more rows) of the weight as a matrix [out, in * kernel] orthonormal, times
/// gain: Q of the QR decomposition of a normal matrix, signs fixed by the diagonal of R (Saxe et al., 2014),
/// in float64.
void orthogonal(const Tensor& weight, Generator& generator, double gain = 1);
/// U[low, high).
void uniform(const Tensor& x, Generator& generator, double low, double high);
void normal(const Tensor& x, Generator& generator, double mean, double std);
void constant(const Tensor& x, double value);

/// The default of Linear and convolutions, as PyTorch's: weight and bias both U[-b, b) with b = 1 /
/// sqrt(fan_in) (kaiming_uniform with slope sqrt(5)). `bias` may be undefined.
void layer_default(const Tensor& weight, const Tensor& bias, Generator& generator);

}  // namespace tenon::init
