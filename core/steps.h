// Hyper-parameters and formulas of the optimisers' update steps. Shared by core/ops/lists.h and its kernels.
#pragma once

namespace tenon {

/// Stochastic gradient descent. With weight decay wd (added to the gradient, i.e. coupled), momentum mu,
/// dampening d:
///   g <- g + wd p;   b <- mu b + (1 - d) g  (first step: b <- g);   u = nesterov ? g + mu b : b
///   p <- p - lr u
/// Without momentum u = g.
struct SgdStep {
  double lr = 0, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
};

/// Adam (Kingma and Ba, 2015, algorithm 1, with its bias corrections folded into two factors), t the step
/// count:
///   m <- b1 m + (1 - b1) g;   v <- b2 v + (1 - b2) g^2
///   p <- p - lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)
/// Coupled weight decay is added to the gradient first; decoupled (AdamW, Loshchilov and Hutter, 2019) scales
/// p by 1 - lr wd first. With AMSGrad (Reddi et al., 2018) the running maximum of v takes the place of v in
/// the last line.
struct AdamStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false;
};

/// RMSProp (Tieleman and Hinton, 2012), coupled weight decay:
///   s <- alpha s + (1 - alpha) g^2;   c <- alpha c + (1 - alpha) g;   d = sqrt(s - (centred ? c^2 : 0)) + eps
///   momentum mu > 0:  b <- mu b + g / d;  p <- p - lr b;      else  p <- p - lr g / d
struct RmspropStep {
  double lr = 0, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0;
  bool centred = false;
};

/// Adadelta (Zeiler, 2012, algorithm 1), coupled weight decay:
///   s <- rho s + (1 - rho) g^2;   u = sqrt(a + eps) / sqrt(s + eps) * g;   a <- rho a + (1 - rho) u^2
///   p <- p - lr u
struct AdadeltaStep {
  double lr = 1, rho = 0.9, eps = 1e-6, weight_decay = 0;
};

}  // namespace tenon
