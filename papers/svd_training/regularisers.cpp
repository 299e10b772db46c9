#include "papers/svd_training/regularisers.h"

#include <cmath>
#include <limits>

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/sparsity.h"

namespace tenon::svd_training {
namespace {

// Factors of one shape [m, r], stacked.
struct Group {
  std::vector<Variable> members;
  int64_t rank() const { return members.front().size(1); }
  Tensor stacked() const {
    std::vector<Tensor> values;
    for (const Variable& a : members) values.push_back(a.value());
    return values.size() == 1 ? values[0].unsqueeze(0) : stack(values, 0);
  }
};

std::vector<Group> groups_of(const std::vector<NamedSvdLayer>& layers) {
  std::vector<Group> groups;
  auto add = [&](const Variable& a) {
    for (Group& group : groups)
      if (group.members.front().shape() == a.shape()) return group.members.push_back(a);
    groups.push_back({{a}});
  };
  for (const auto& [name, layer] : layers) {
    add(layer->u);
    add(layer->v);
  }
  return groups;
}

// A^T A - I of a stack [b, m, r]: [b, r, r].
Tensor gram_minus_identity(const Tensor& a) {
  const Tensor gram = matmul(a.t(), a);
  const int64_t r = gram.size(-1);
  const Tensor diagonal = gram.as_strided(
      {gram.size(0), r}, {gram.strides()[0], gram.strides()[1] + gram.strides()[2]}, gram.offset());
  unary_into(Unary::affine, diagonal, diagonal, 1, -1);
  return gram;
}

// What the sparsifier acts on: every s, and the biases of fully connected layers, as in the authors' prototype.
std::vector<Variable> sparsified(const std::vector<NamedSvdLayer>& layers) {
  std::vector<Variable> all;
  for (const auto& [name, layer] : layers) {
    all.push_back(layer->s);
    if (layer->bias.defined() && dynamic_cast<const SvdLinear*>(layer) != nullptr) all.push_back(layer->bias);
  }
  return all;
}

const Tensor& gradient_of(const Variable& parameter) {
  TENON_CHECK(parameter.grad().defined(), "svd_training: a factor of shape ", parameter.shape(),
              " has no gradient");
  return parameter.grad().value();
}

// Columns of length 1 in the directions that QR gives, and their lengths before.
std::pair<Tensor, Tensor> orthonormal_columns(const Tensor& a) { return {qr(a).q, norm2(a, {0})}; }

}  // namespace

const char* name_of(Sparsifier sparsifier) {
  switch (sparsifier) {
    case Sparsifier::none:
      return "none";
    case Sparsifier::l1:
      return "L1";
    case Sparsifier::hoyer:
      return "Hoyer";
    case Sparsifier::hoyer_square:
      return "Hoyer-square";
  }
  fail("svd_training: no such sparsifier");
}

double orthogonality(const std::vector<NamedSvdLayer>& layers) {
  double total = 0;
  for (const Group& group : groups_of(layers)) {
    const auto r = static_cast<double>(group.rank());
    total += sum(square(gram_minus_identity(group.stacked().to(float64)))).item() / (r * r);
  }
  return total;
}

void add_orthogonality_gradient(const std::vector<NamedSvdLayer>& layers, double lambda) {
  if (lambda == 0) return;
  std::vector<Tensor> parts, gradients;
  for (const Group& group : groups_of(layers)) {
    const auto r = static_cast<double>(group.rank());
    const Tensor a = group.stacked();
    Tensor error = gram_minus_identity(a);
    unary_into(Unary::affine, error, error, 4 * lambda / (r * r), 0);
    const Tensor part = matmul(a, error);
    for (size_t i = 0; i < group.members.size(); ++i) {
      parts.push_back(part.select(0, static_cast<int64_t>(i)));
      gradients.push_back(gradient_of(group.members[i]));
    }
  }
  lists_axpy(1, parts, gradients);
}

double sparsity(Sparsifier sparsifier, const std::vector<NamedSvdLayer>& layers) {
  if (sparsifier == Sparsifier::none) return 0;
  std::vector<Tensor> values;
  for (const Variable& p : sparsified(layers)) values.push_back(p.value());
  const std::vector<double> sums = abs_sum_sq_sum(values).to_vector<double>();
  double total = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double s1 = sums[2 * i], s2 = sums[2 * i + 1];
    if (sparsifier == Sparsifier::l1) {
      total += s1;
    } else if (s2 > 0) {
      const double hoyer = s1 / std::sqrt(s2);
      total += (sparsifier == Sparsifier::hoyer ? hoyer : hoyer * hoyer) - 1;
    }
  }
  return total;
}

void add_sparsity_gradient(Sparsifier sparsifier, const std::vector<NamedSvdLayer>& layers, double lambda) {
  if (sparsifier == Sparsifier::none || lambda == 0) return;
  std::vector<Tensor> values, gradients;
  for (const Variable& p : sparsified(layers)) {
    // A single value has no sparsity to gain from the Hoyer measures, which are constant: no rounding of it either.
    if (p.numel() == 1 && sparsifier != Sparsifier::l1) continue;
    values.push_back(p.value());
    gradients.push_back(gradient_of(p));
  }
  switch (sparsifier) {
    case Sparsifier::none:
      return;
    case Sparsifier::l1:
      return l1_gradient_add(values, gradients, lambda);
    case Sparsifier::hoyer:
      return hoyer_gradient_add(values, gradients, lambda);
    case Sparsifier::hoyer_square:
      return hoyer_square_gradient_add(values, gradients, lambda);
  }
}

OrthogonalityError orthogonality_error(const std::vector<NamedSvdLayer>& layers) {
  OrthogonalityError error;
  double count = 0;
  for (const Group& group : groups_of(layers)) {
    const Tensor gram = gram_minus_identity(group.stacked().to(float64));
    const auto r = static_cast<double>(group.rank());
    for (double norm : norm2(gram, {1, 2}).to_vector<double>())
      error.mean_rms += norm / std::sqrt(r), ++count;
    error.worst = std::max(error.worst, amax(abs(gram)).item());
  }
  if (count > 0) error.mean_rms /= count;
  return error;
}

void retract(const std::vector<NamedSvdLayer>& layers) {
  for (const auto& [name, layer] : layers) {
    const auto [u, u_lengths] = orthonormal_columns(layer->u.value());
    const auto [v, v_lengths] = orthonormal_columns(layer->v.value());
    layer->u.value().copy_(u);
    layer->v.value().copy_(v);
    layer->s.value().copy_(mul(layer->s.value(), mul(u_lengths, v_lengths)));
  }
}

}  // namespace tenon::svd_training
