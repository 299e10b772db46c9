// The downloader against a local HTTP server: what is whole arrives, what is cut, wrong or missing leaves no
// trace.
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "data/datasets.h"
#include "tests/data/http_server.h"
#include "tests/data/support.h"

using namespace tenon;
using namespace tenon::test;

namespace {

namespace fs = std::filesystem;

const fs::path kDebian = "/usr/share/datasets/fashion-mnist";

// Runs data/fetch.sh with the server for a mirror; returns its exit status and puts what it printed into
// `output`.
int fetch(const std::string& sets, const fs::path& cache, const std::string& mirror, std::string& output) {
  const fs::path log = cache.string() + ".log";
  const std::string command = "no_proxy=127.0.0.1 TENON_CACHE='" + cache.string() + "' TENON_MIRROR='" +
                              mirror + "' sh data/fetch.sh " + sets + " >'" + log.string() + "' 2>&1";
  const int status = std::system(command.c_str());
  std::ifstream file(log);
  output.assign(std::istreambuf_iterator<char>(file), {});
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int files_below(const fs::path& folder) {
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) count += entry.is_regular_file();
  return count;
}

}  // namespace

TEST_CASE("fetch: a set arrives whole, is loaded, and is not fetched twice") {
  if (!fs::exists(kDebian)) {
    MESSAGE("NOT TESTED: ", kDebian.string(), " is missing (apt install dataset-fashion-mnist)");
    return;
  }
  REQUIRE_MESSAGE(fs::exists("data/fetch.sh"), "tests run in the root of the source tree");
  TemporaryFolder folder;
  fs::create_directory_symlink(kDebian, folder.file("fashion_mnist"));
  HttpServer server(folder.path());
  const fs::path cache = folder.file("cache");
  std::string output;
  CHECK_MESSAGE(fetch("fashion_mnist", cache, server.address(), output) == 0, output);
  CHECK(server.requests() == 4);
  CHECK(files_below(cache) == 4);
  setenv("TENON_CACHE", cache.c_str(), 1);
  const Dataset test = load_dataset("fashion_mnist", Part::test);
  unsetenv("TENON_CACHE");
  CHECK(test.images.size(0) == 10000);
  if (!std::getenv("TENON_DATA")) CHECK(test.source == (cache / "fashion-mnist").string());

  CHECK(fetch("fashion_mnist", cache, server.address(), output) == 0);
  CHECK(server.requests() == 4);

  // A file that was damaged since is fetched again.
  fs::resize_file(cache / "fashion-mnist/t10k-labels-idx1-ubyte.gz", 1000);
  CHECK(fetch("fashion_mnist", cache, server.address(), output) == 0);
  CHECK(server.requests() == 5);
}

TEST_CASE("fetch: what is cut, wrong or missing is an error and leaves nothing") {
  TemporaryFolder folder;
  fs::create_directory(folder.file("mnist"));
  fs::create_directory(folder.file("cifar10"));
  const auto serve = [&](const std::string& name, const std::string& content) {
    std::ofstream(folder.file(name), std::ios::binary) << content;
  };
  serve("mnist/train-images-idx3-ubyte.gz", gzip("not the published file"));
  serve("cifar10/cifar-10-binary.tar.gz", gzip("not the published file"));
  HttpServer server(folder.path());
  const fs::path cache = folder.file("cache");
  std::string output;
  CHECK(fetch("mnist cifar10", cache, server.address(), output) == 1);
  CHECK(contains(output, "expected md5 6bbc9ace898e44ae57da46a324031adb, got"));
  CHECK(contains(output, "expected md5 c32a1d4ab5d03f1284b67883e8d87530, got"));
  CHECK(contains(output, "not complete: mnist cifar10"));
  CHECK(files_below(cache) == 0);

  serve("mnist/train-images-idx3-ubyte.gz", "no gzip file at all");
  CHECK(fetch("mnist", cache, server.address(), output) == 1);
  CHECK(contains(output, "is no whole gzip file"));
  fs::remove(folder.file("mnist/train-images-idx3-ubyte.gz"));
  CHECK(fetch("mnist", cache, server.address(), output) == 1);
  CHECK(contains(output, "could not be fetched"));
  CHECK(files_below(cache) == 0);

  CHECK(fetch("imagenet", cache, server.address(), output) == 2);
  CHECK(contains(output, "got 'imagenet'"));
}

TEST_CASE("fetch: the tables of trained architectures") {
  fs::path published;
  if (const char* data = std::getenv("TENON_DATA")) published = fs::path(data) / "nasbench";
  if (!fs::exists(published / "nasbench101_accuracies.pkl.gz")) {
    MESSAGE("NOT TESTED: no nasbench101_accuracies.pkl.gz in $TENON_DATA/nasbench");
    return;
  }
  TemporaryFolder folder;
  fs::create_directory_symlink(published, folder.file("nasbench"));
  HttpServer server(folder.path());
  const fs::path cache = folder.file("cache");
  std::string output;
  CHECK_MESSAGE(fetch("nasbench", cache, server.address(), output) == 0, output);
  CHECK(server.requests() == 6);
  CHECK(files_below(cache) == 6);
  fs::resize_file(cache / "nasbench/nasbench_macro_cifar10.json", 1000);
  CHECK(fetch("nasbench", cache, server.address(), output) == 0);
  CHECK(server.requests() == 7);

  fs::remove(folder.file("nasbench"));
  fs::create_directory(folder.file("nasbench"));
  std::ofstream(folder.file("nasbench/nasbench_macro_cifar10.json"), std::ios::binary) << "{}";
  fs::remove(cache / "nasbench/nasbench_macro_cifar10.json");
  CHECK(fetch("nasbench", cache, server.address(), output) == 1);
  CHECK(contains(output, "nasbench_macro_cifar10.json: expected sha256 686dee83"));
  CHECK(files_below(cache) == 5);
}

TEST_CASE("fetch: a connection that breaks off") {
  TemporaryFolder folder;
  fs::create_directory(folder.file("mnist"));
  std::ofstream(folder.file("mnist/train-images-idx3-ubyte.gz"), std::ios::binary)
      << std::string(100000, 'x');
  HttpServer server(folder.path());
  server.cut_after(5000);
  const fs::path cache = folder.file("cache");
  std::string output;
  CHECK(fetch("mnist", cache, server.address(), output) == 1);
  CHECK(contains(output, "could not be fetched"));
  CHECK(files_below(cache) == 0);
}
