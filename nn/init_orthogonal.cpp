// Orthogonal initialisation: the one place of nn/ that decomposes a matrix, in double precision through
// Eigen. GCC 12 takes the undefined lanes of its own AVX-512 intrinsics for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <Eigen/QR>

#include "nn/init.h"

namespace tenon::init {

void orthogonal(const Tensor& weight, Generator& generator, double gain) {
  TENON_CHECK(weight.rank() >= 2, "orthogonal: expects a weight of rank >= 2, got ", weight.str());
  if (weight.is_empty()) return;
  const int64_t rows = weight.size(0), columns = weight.numel() / rows;
  const int64_t tall = std::max(rows, columns), wide = std::min(rows, columns);
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Tensor drawn = random_normal({tall, wide}, generator, 0, 1, float64);
  Matrix a = Eigen::Map<const Matrix>(drawn.data<double>(), tall, wide);
  Eigen::HouseholderQR<Matrix> qr(a);
  Matrix q = qr.householderQ() * Matrix::Identity(tall, wide);
  // With the signs of R's diagonal moved into Q, Q is uniform over the orthogonal matrices.
  for (int64_t j = 0; j < wide; ++j)
    if (qr.matrixQR()(j, j) < 0) q.col(j) = -q.col(j);
  if (rows < columns) q = Matrix(q.transpose());
  q *= gain;
  Tensor result = Tensor::empty({rows, columns}, float64);
  Eigen::Map<Matrix>(result.data<double>(), rows, columns) = q;
  weight.copy_(result.reshape(weight.shape()));
}

}  // namespace tenon::init
