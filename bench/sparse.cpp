// Products of a sparse matrix, beside the best dense path of the house and Eigen's sparse product: shapes of
// pruned networks at rising shares of zeros, blocks of four rows, one column, the backward of a layer, and
// pruned networks end to end. Where TENON_DATA holds the Deep Learning Matrix Collection, also masks of
// networks that were pruned in earnest, whose rows are uneven.
#include "core/ops/sparse.h"

#include <cstdio>
#include <cstdlib>
#include <Eigen/SparseCore>
#include <filesystem>
#include <memory>

#include "bench/harness.h"
#include "core/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "nn/compress/sparse.h"
#include "nn/models/lenet.h"
#include "nn/models/mlp.h"

namespace tenon::bench {
namespace {

// ---- matrices ---------------------------------------------------------------------------------------

// Ones where a random matrix keeps its element: all but `percent` of the blocks of `block` rows.
Tensor scattered(int64_t rows, int64_t columns, double percent, int64_t block, Generator& generator) {
  const Tensor mask = Tensor::zeros({rows, columns}, uint8);
  for (int64_t top = 0; top < rows; top += block)
    for (int64_t c = 0; c < columns; ++c)
      if (generator.next_uniform() * 100 >= percent)
        mask.slice(0, top, std::min(rows, top + block)).select(1, c).fill_(1);
  return mask;
}

std::filesystem::path collection() {
  const char* data = std::getenv("TENON_DATA");
  return data == nullptr ? "" : std::filesystem::path(data) / "dlmc" / "dlmc_subset.tar.xz";
}

// A mask of the collection: a line "rows, columns, entries", the row offsets, the column indices.
Tensor collected(const std::string& name) {
  const std::string command = concat("tar -xJOf '", collection().string(), "' '", name, "'");
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  TENON_CHECK(pipe != nullptr, "bench: cannot run ", command);
  auto next = [&] {
    long number = 0;
    TENON_CHECK(std::fscanf(pipe.get(), "%ld%*[,]", &number) >= 1, "bench: ", name, " ends early");
    return int64_t{number};
  };
  const int64_t rows = next(), columns = next(), entries = next();
  std::vector<int64_t> offsets(static_cast<size_t>(rows) + 1), indices(static_cast<size_t>(entries));
  for (int64_t& x : offsets) x = next();
  for (int64_t& x : indices) x = next();
  const SparsePattern pattern(rows, columns, Tensor::from(offsets), Tensor::from(indices));
  return pattern.scatter(Tensor::ones({entries}, uint8));
}

// ---- products ---------------------------------------------------------------------------------------

struct Extents {
  int64_t rows, columns, n;
  double entries(int64_t percent) const {
    return static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(100 - percent) /
           100;
  }
  std::string str() const { return concat(rows, "x", columns, "x", n); }
};

std::function<void()> eigen(const Tensor& w, const Tensor& x) {
  using Sparse = Eigen::SparseMatrix<float, Eigen::RowMajor, int>;
  using Dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  auto left =
      std::make_shared<Sparse>(Eigen::Map<Dense>(w.data<float>(), w.size(0), w.size(1)).sparseView(1, 0));
  auto right = std::make_shared<Dense>(Eigen::Map<Dense>(x.data<float>(), x.size(0), x.size(1)));
  auto result = std::make_shared<Dense>(w.size(0), x.size(1));
  return [=] { result->noalias() = *left * *right; };
}

// The product with n columns: of blocks if `block` > 1, of single elements, of the dense matrix.
std::vector<Contestant> product(Device device, const Tensor& mask, int64_t n, int64_t block) {
  Generator generator(2);
  const Tensor w = random_normal(mask.shape(), generator), x = random_normal({mask.size(1), n}, generator);
  const CsrMatrix csr = CsrMatrix::from_mask(w, mask);
  std::vector<Contestant> out;
  auto add_sparse = [&](const std::string& name, const SparseMatrix& m) {
    const SparsePattern there = m.pattern.to(device);
    out.push_back({name, over_inputs(device, {m.values, x},
                                     [there](const Tensors& in) { spmm(there, in[0], in[1]); })});
  };
  if (block > 1) add_sparse("tenon", BlockSparseMatrix::from_mask(w, mask, block));
  add_sparse(block > 1 ? "tenon csr" : "tenon", csr);
  if (device.is_cuda())
    out.push_back({"cusparse", under_settings({.spmm_by_cusparse = true}, out.back().run)});
  out.push_back({"tenon dense",
                 over_inputs(device, {csr.to_dense(), x}, [](const Tensors& in) { matmul(in[0], in[1]); })});
  if (device.is_cpu()) out.push_back({"eigen sparse", eigen(csr.to_dense(), x)});
  return out;
}

Case product_case(Device device, const std::string& name, const Extents& e, int64_t percent,
                  const std::function<Tensor()>& mask, int64_t block = 1) {
  const double entries = e.entries(percent), n = static_cast<double>(e.n);
  return {name, 2 * entries * n, 8 * entries + 4 * n * static_cast<double>(e.rows + e.columns),
          [=] { return product(device, mask(), e.n, block); }};
}

// What a layer does on the way back, for the gradients of its weight and of its input.
Case backward_case(Device device, const Extents& e, int64_t percent) {
  const double entries = e.entries(percent), n = static_cast<double>(e.n);
  return {concat("sparse/backward/", e.str(), "/", percent), 4 * entries * n,
          12 * entries + 8 * n * static_cast<double>(e.rows + e.columns), [=] {
            Generator generator(3);
            const Tensor mask = scattered(e.rows, e.columns, percent, 1, generator);
            const CsrMatrix csr = CsrMatrix::from_mask(random_normal(mask.shape(), generator), mask);
            const SparsePattern there = csr.pattern.to(device);
            const Tensor x = random_normal({e.columns, e.n}, generator),
                         g = random_normal({e.rows, e.n}, generator);
            return std::vector<Contestant>{
                {"tenon", over_inputs(device, {csr.values, g, x},
                                      [there](const Tensors& in) {
                                        sddmm(there, in[1], in[2]);
                                        spmm_transposed(there, in[0], in[1]);
                                      })},
                {"tenon dense", over_inputs(device, {csr.to_dense(), g, x}, [](const Tensors& in) {
                   matmul(in[1], in[2].t());
                   matmul(in[0].t(), in[1]);
                 })}};
          }};
}

// ---- sparse activations -----------------------------------------------------------------------------

// The product with one vector of which `live` percent is not 0, of a weight that keeps `kept` percent: by columns that the
// vector uses, in the form that is fastest of all here, beside products that do not look at the vector.
Case vector_case(Device device, int64_t rows, int64_t columns, int64_t kept, int64_t live) {
  const double share = static_cast<double>(kept * live) / 10000;
  return {
      concat("sparse/spmspv/", rows, "x", columns, "/weights", kept, "/active", live),
      2 * share * static_cast<double>(rows * columns), 0, [=] {
        Generator generator(5);
        const Tensor mask = scattered(rows, columns, 100 - static_cast<double>(kept), 1, generator);
        const Tensor w = random_normal(mask.shape(), generator);
        const Tensor used = scattered(1, columns, 100 - static_cast<double>(live), 1, generator);
        const Tensor x = where(used, random_normal({1, columns}, generator), Tensor::zeros({}));
        const CsrMatrix csr = CsrMatrix::from_mask(w, mask);
        std::vector<Contestant> out;
        auto add = [&](const std::string& name, const SparseMatrix& m) {
          const SparsePattern there = m.pattern.to(device);
          out.push_back({name, over_inputs(device, {m.values, x},
                                           [there](const Tensors& in) { spmspv(there, in[0], in[1]); })});
        };
        for (int64_t block : {16, 8, 4})
          add(block == 16 ? "tenon" : concat("tenon blocks", block),
              BlockSparseMatrix::from_mask(w, mask, block));
        add("tenon csr", csr);
        const SparsePattern there = csr.pattern.to(device);
        out.push_back({"tenon spmm", over_inputs(device, {csr.values, x.t().contiguous()},
                                                 [there](const Tensors& in) { spmm(there, in[0], in[1]); })});
        out.push_back({"tenon dense", over_inputs(device, {csr.to_dense(), x.t().contiguous()},
                                                  [](const Tensors& in) { matmul(in[0], in[1]); })});
        return out;
      }};
}

// ---- networks ---------------------------------------------------------------------------------------

// A network that keeps so many percent of the weights of each layer, the last share for all that follow, compiled and
// as it is. `macs`: multiply-adds that remain for an image.
Case network_case(const std::string& name, std::shared_ptr<Sequential> (*make)(Generator&),
                  const std::vector<double>& kept, double macs, int64_t batch) {
  return {concat("sparse/", name, "/batch", batch), 2 * macs * static_cast<double>(batch), 0, [=] {
            Generator generator(4);
            auto net = make(generator);
            size_t layer = 0;
            for (const Variable& p : net->parameters()) {
              if (p.rank() < 2) continue;
              const double zeros = 100 - kept[std::min(layer++, kept.size() - 1)];
              const Tensor mask = scattered(p.size(0), p.numel() / p.size(0), zeros, 1, generator);
              p.value().copy_(where(mask.reshape(p.shape()), p.value(), Tensor::zeros({})));
            }
            const Variable x(random_normal({batch, 1, 28, 28}, generator));
            auto compiled = compile_sparse(*net, x.shape()).network;
            auto forward = [x](const std::shared_ptr<Sequential>& chain) {
              return [=] {
                const NoGrad no_grad;
                (*chain)(x);
              };
            };
            return std::vector<Contestant>{{"tenon", forward(compiled)}, {"tenon dense", forward(net)}};
          }};
}

// ---- cases ------------------------------------------------------------------------------------------

void add_collected(Device device, std::vector<Case>& out) {
  if (!std::filesystem::exists(collection())) return;
  struct Layer {
    const char *label, *before, *behind;
    Extents extents;
  };
  const char* const decoder =
      "body_decoder_layer_0_encdec_attention_multihead_attention_k_fully_connected.smtx";
  const Layer layers[] = {
      {"rn50-3x3", "rn50/magnitude_pruning/", "bottleneck_2_block_group3_2_1.smtx", {256, 2304, 196}},
      {"rn50-1x1", "rn50/magnitude_pruning/", "bottleneck_3_block_group3_3_1.smtx", {1024, 256, 196}},
      {"transformer", "transformer/magnitude_pruning/", decoder, {512, 512, 256}}};
  for (const Layer& layer : layers)
    for (int64_t percent : {80, 90, 95, 98}) {
      const std::string share = percent % 10 == 0 ? concat("0.", percent / 10) : concat("0.", percent);
      const std::string file = concat(layer.before, share, "/", layer.behind);
      out.push_back(product_case(device, concat("sparse/dlmc/", layer.label, "/", percent), layer.extents,
                                 percent, [file] { return collected(file); }));
    }
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  auto add = [&](const Extents& e, int64_t percent, int64_t block) {
    const std::string kind = block > 1 ? concat("blocks", block, "/") : "";
    out.push_back(product_case(
        device, concat("sparse/", kind, e.str(), "/", percent), e, percent,
        [=] {
          Generator generator(1);
          return scattered(e.rows, e.columns, percent, block, generator);
        },
        block));
  };
  const std::vector<Extents> shapes =
      device.is_cpu() ? std::vector<Extents>{{300, 784, 128},
                                             {512, 512, 128},
                                             {300, 784, 100},
                                             {64, 576, 64},
                                             {300, 784, 1}}
                      : std::vector<Extents>{{1024, 1024, 128}, {4096, 4096, 256}, {4096, 4096, 1}};
  for (const Extents& e : shapes)
    for (int64_t percent : {60, 70, 80, 90, 95, 98}) add(e, percent, 1);
  const Extents square = device.is_cpu() ? Extents{512, 512, 128} : Extents{4096, 4096, 256};
  for (int64_t percent : {50, 70, 80, 90, 95}) add(square, percent, 4);
  for (int64_t percent : {80, 90, 98}) out.push_back(backward_case(device, shapes[0], percent));
  add_collected(device, out);
  // MLP-3's first layer with its pixels, the first of ConvNet-5's that are fully connected, and large ones.
  const std::vector<Extents> layers =
      device.is_cpu() ? std::vector<Extents>{{300, 784, 1}, {384, 2304, 1}, {1024, 1024, 1}}
                      : std::vector<Extents>{{4096, 4096, 1}};
  for (const Extents& e : layers)
    for (int64_t kept : {10, 100})
      for (int64_t live : {40, 20, 10}) out.push_back(vector_case(device, e.rows, e.columns, kept, live));
  if (device.is_cpu()) {
    for (int64_t batch : {1, 128})
      out.push_back(network_case("lenet300", make_lenet_300_100, {2}, 0.02 * 266200, batch));
    out.push_back(network_case("lenet5", make_lenet_5, {2}, 0.02 * 2293000, 64));
    // As pruning leaves it: 288,000, 1,600,000, 400,000 and 5,000 multiply-adds.
    out.push_back(network_case("lenet5-pruned", make_lenet_5, {20, 6, 0.4, 4}, 155400, 64));
  }
  return out;
}

const Family family("sparse", cases);

}  // namespace
}  // namespace tenon::bench
